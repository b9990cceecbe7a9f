// Package attr checks the attributes of repositories' blocks after they were decoded.
package attr

import "github.com/hashicorp/hcl/v2"

// Mistake is an error at a value.
func Mistake(value hcl.Range, summary, detail string) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &value}
}

// Broken reports whether diags has an error about one of the values already: what it was decoded into then
// says nothing about what the user wrote.
func Broken(diags hcl.Diagnostics, values ...hcl.Range) bool {
	for _, d := range diags {
		for _, value := range values {
			if d.Severity == hcl.DiagError && d.Subject != nil && d.Subject.Filename == value.Filename && d.Subject.Overlaps(value) {
				return true
			}
		}
	}
	return false
}

// Decoded reports whether the attribute with this value range is in the block and can be looked at.
func Decoded(diags hcl.Diagnostics, value hcl.Range) bool {
	return value != (hcl.Range{}) && !Broken(diags, value)
}
