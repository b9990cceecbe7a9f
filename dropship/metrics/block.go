package metrics

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// Decoded reports whether the attribute of a kind's block that has this value range is there, and decoding it made no
// diagnostic: of any other, nothing more is to be said.
func Decoded(diags hcl.Diagnostics, value hcl.Range) bool {
	return value != (hcl.Range{}) && !slices.ContainsFunc(diags, func(d *hcl.Diagnostic) bool {
		return d.Subject != nil && d.Subject.Filename == value.Filename && d.Subject.Overlaps(value)
	})
}

// Mistake returns an error at a place in a block.
func Mistake(at hcl.Range, summary, detail string) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &at}
}
