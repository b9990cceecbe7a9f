package config

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// finish returns all that was found, fit to print.
func (l *loader) finish() *Diagnostics {
	hide := newRedactor(l.secrets)
	sources := make(map[string]*source, len(l.files))
	for _, f := range l.files {
		sources[f.path] = f.source
	}
	var all hcl.Diagnostics
	for _, diag := range l.diags {
		if !follows(diag, l.diags) {
			all = append(all, diag)
		}
	}
	all = sorted(all, l.files)
	for _, diag := range all {
		explainCall(diag)
		if src := sources[subject(diag).Filename]; src != nil && diag.Summary == unsupportedArgument && !strings.Contains(diag.Detail, suggestion) {
			diag.Detail += misplaced(string(diag.Subject.SliceBytes(src.text)))
		}
		diag.Summary, diag.Detail = hide.Replace(diag.Summary), hide.Replace(diag.Detail)
		// From these a printer would show the values of variables.
		diag.Expression, diag.EvalContext, diag.Extra = nil, nil, nil
	}
	all = slices.CompactFunc(all, func(a, b *hcl.Diagnostic) bool {
		return a.Subject != nil && b.Subject != nil && *a.Subject == *b.Subject && a.Summary == b.Summary && a.Detail == b.Detail
	})
	return &Diagnostics{all: all, sources: sources}
}

// subject returns where diag is, or nowhere.
func subject(diag *hcl.Diagnostic) hcl.Range {
	if diag.Subject == nil {
		return hcl.Range{}
	}
	return *diag.Subject
}

// follows reports whether diag only follows from another mistake: a value that could not be evaluated is
// unknown, or empty, to whoever decodes it.
func follows(diag *hcl.Diagnostic, all hcl.Diagnostics) bool {
	if diag.Subject == nil || evaluation(diag) {
		return false
	}
	unknown := strings.Contains(diag.Detail, "value must be known")
	return slices.ContainsFunc(all, func(other *hcl.Diagnostic) bool {
		if !evaluation(other) || other.Subject == nil || other.Subject.Filename != diag.Subject.Filename {
			return false
		}
		inside := diag.Subject.Start.Byte <= other.Subject.Start.Byte && other.Subject.End.Byte <= diag.Subject.End.Byte
		return inside || unknown && diag.Subject.Start.Line == other.Subject.Start.Line
	})
}

// evaluation reports whether diag says that an expression could not be evaluated.
func evaluation(diag *hcl.Diagnostic) bool { return diag.Expression != nil && diag.EvalContext != nil }

// explainCall gives the failure of a function of ours its own words.
func explainCall(diag *hcl.Diagnostic) {
	call, ok := hcl.DiagnosticExtra[hclsyntax.FunctionCallDiagExtra](diag)
	if !ok || call.FunctionCallError() == nil {
		return
	}
	detail := call.FunctionCallError().Error()
	switch call.CalledFunctionName() {
	case "env":
		diag.Summary = "Cannot take a value from the environment"
	case "file":
		diag.Summary = "Cannot take a value from a file"
	default:
		return
	}
	diag.Detail = strings.ToUpper(detail[:1]) + detail[1:] + "."
}
