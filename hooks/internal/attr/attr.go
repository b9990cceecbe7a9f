// Package attr checks the attributes of hooks' blocks after they were decoded.
package attr

import (
	"fmt"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// Mistake is an error at a value.
func Mistake(value hcl.Range, summary, detail string) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &value}
}

// Decoded reports whether the attribute with this value range is in the block and decoding it made no
// diagnostic. Of any other, nothing more is to be said.
func Decoded(diags hcl.Diagnostics, value hcl.Range) bool {
	if value == (hcl.Range{}) {
		return false
	}
	for _, d := range diags {
		if d.Subject != nil && d.Subject.Filename == value.Filename && d.Subject.Overlaps(value) {
			return false
		}
	}
	return true
}

// Duration parses a positive duration, "10s" or "1m30s", for the attribute called name.
func Duration(name, text string, value hcl.Range) (time.Duration, hcl.Diagnostics) {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, hcl.Diagnostics{Mistake(value, "Invalid duration",
			fmt.Sprintf("%s must be a duration greater than zero, such as \"10s\" or \"1m30s\", not %q.", name, text))}
	}
	return d, nil
}
