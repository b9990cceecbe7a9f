package config

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// finish returns all that was found, fit to print.
func (l *loader) finish() *Diagnostics {
	sources := make(map[string]*source, len(l.files))
	for _, f := range l.files {
		sources[f.path] = f.source
	}
	if len(l.diags) == 0 {
		return &Diagnostics{}
	}
	for _, f := range l.files {
		l.secrets = append(l.secrets, f.source.credentials().secrets...)
	}
	evaluations := make(map[string]hcl.Diagnostics) // by file
	for _, diag := range l.diags {
		if evaluation(diag) && diag.Subject != nil {
			evaluations[diag.Subject.Filename] = append(evaluations[diag.Subject.Filename], diag)
		}
	}
	var all hcl.Diagnostics
	for _, diag := range l.diags {
		if !follows(diag, evaluations[subject(diag).Filename]) {
			all = append(all, diag)
		}
	}
	all = sorted(all, l.files)
	hide := newRedactor(l.secrets, l.known())
	for _, diag := range all {
		explainCall(diag, sources[subject(diag).Filename])
		if src := sources[subject(diag).Filename]; src != nil {
			explain(diag, src)
		}
		diag.Summary, diag.Detail = hide.redact(diag.Summary), hide.redact(diag.Detail)
		// From these a printer would show the values of variables.
		diag.Expression, diag.EvalContext, diag.Extra = nil, nil, nil
	}
	all = slices.CompactFunc(all, func(a, b *hcl.Diagnostic) bool {
		return a.Subject != nil && b.Subject != nil && *a.Subject == *b.Subject && a.Summary == b.Summary && a.Detail == b.Detail
	})
	return &Diagnostics{all: all, sources: sources}
}

// explain says what may be meant where HCL does not know it, and shows nothing that is hidden in src.
func explain(diag *hcl.Diagnostic, src *source) {
	name := string(diag.Subject.SliceBytes(src.text))
	if detail := hiddenDetails[diag.Summary]; detail != "" && src.credentials().hides(*diag.Subject) {
		diag.Detail, name = detail, "NAME"
	}
	switch diag.Summary {
	case unsupportedArgument:
		// Which may be a credential's, misspelt.
		src.credentials().hideArgument(diag.Subject.Start.Byte)
		if !strings.Contains(diag.Detail, suggestion) {
			diag.Detail += misplaced(name)
		}
	case unknownVariable:
		diag.Detail += explainVariable(name)
	}
}

// known returns what messages may show even where it holds a word that is a credential elsewhere.
func (l *loader) known() []string {
	known := slices.Concat(
		slices.Collect(maps.Keys(l.kinds.Repositories)),
		slices.Collect(maps.Keys(l.kinds.Hooks)),
		slices.Collect(maps.Keys(l.kinds.Lockers)),
		slices.Collect(maps.Keys(l.kinds.Metrics)),
		slices.Collect(maps.Keys(l.kinds.Tracing)),
		l.places,
	)
	for _, f := range l.files {
		known = append(known, f.path, f.real, filepath.Dir(f.path))
		if !f.broken { // else there is no telling what its labels are
			known = append(known, f.root.labels()...)
		}
	}
	return known
}

// subject returns where diag is, or nowhere.
func subject(diag *hcl.Diagnostic) hcl.Range {
	if diag.Subject == nil {
		return hcl.Range{}
	}
	return *diag.Subject
}

// follows reports whether diag only follows from another mistake, an evaluation of the same file: a value that could not
// be evaluated is unknown, or empty, to whoever decodes it.
func follows(diag *hcl.Diagnostic, evaluations hcl.Diagnostics) bool {
	if diag.Subject == nil || evaluation(diag) {
		return false
	}
	unknown := strings.Contains(diag.Detail, "value must be known")
	return slices.ContainsFunc(evaluations, func(other *hcl.Diagnostic) bool {
		inside := diag.Subject.Start.Byte <= other.Subject.Start.Byte && other.Subject.End.Byte <= diag.Subject.End.Byte
		return inside || unknown && diag.Subject.Start.Line <= other.Subject.Start.Line // known by its first line alone
	})
}

// evaluation reports whether diag says that an expression could not be evaluated.
func evaluation(diag *hcl.Diagnostic) bool { return diag.Expression != nil && diag.EvalContext != nil }

// explainCall gives the failure of a function of ours its own words. Of a credential no default is advised, which would
// stand in src.
func explainCall(diag *hcl.Diagnostic, src *source) {
	call, ok := hcl.DiagnosticExtra[hclsyntax.FunctionCallDiagExtra](diag)
	if !ok || call.FunctionCallError() == nil {
		return
	}
	detail := call.FunctionCallError().Error()
	switch call.CalledFunctionName() {
	case "env":
		diag.Summary = "Cannot take a value from the environment"
		if e, ok := errors.AsType[*notSetError](call.FunctionCallError()); ok && src != nil && !holdsSecret(e.name) && !src.credentials().holds(*diag.Subject) {
			detail += fmt.Sprintf(`. Or write env(%q, "default")`, e.name)
		}
	case "file":
		diag.Summary = "Cannot take a value from a file"
	default:
		return
	}
	diag.Detail = strings.ToUpper(detail[:1]) + detail[1:] + "."
}
