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
	type key struct{ at, summary, detail string }
	seen := make(map[key]bool)
	var all hcl.Diagnostics
	for _, diag := range sorted(l.diags, l.files) {
		if follows(diag, l.diags) {
			continue
		}
		explainCall(diag)
		diag.Summary, diag.Detail = hide.Replace(diag.Summary), hide.Replace(diag.Detail)
		// From these a printer would show the values of variables.
		diag.Expression, diag.EvalContext, diag.Extra = nil, nil, nil
		k := key{summary: diag.Summary, detail: diag.Detail}
		if diag.Subject != nil {
			k.at = diag.Subject.String()
		}
		if !seen[k] {
			seen[k] = true
			all = append(all, diag)
		}
	}
	return &Diagnostics{all: all, sources: sources}
}

// follows reports whether diag only follows from another mistake: what could not be evaluated is unknown
// to whoever decodes it.
func follows(diag *hcl.Diagnostic, all hcl.Diagnostics) bool {
	if diag.Subject == nil || !strings.Contains(diag.Detail, "value must be known") {
		return false
	}
	return slices.ContainsFunc(all, func(other *hcl.Diagnostic) bool {
		return other.Summary != diag.Summary && other.Subject != nil &&
			other.Subject.Filename == diag.Subject.Filename && other.Subject.Start.Line == diag.Subject.Start.Line
	})
}

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
