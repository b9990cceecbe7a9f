package config

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// Diagnostics are the mistakes and warnings of one load, in the order of the files. They keep the
// sources, to show the line of each, and show no credential that stands in them.
type Diagnostics struct {
	all     hcl.Diagnostics
	sources map[string]*source
}

// HasErrors reports whether anything is wrong, beyond warnings.
func (d *Diagnostics) HasErrors() bool { return d.all.HasErrors() }

// Errors returns the mistakes.
func (d *Diagnostics) Errors() hcl.Diagnostics { return d.of(hcl.DiagError) }

// Warnings returns what works and had better be changed.
func (d *Diagnostics) Warnings() hcl.Diagnostics { return d.of(hcl.DiagWarning) }

func (d *Diagnostics) of(severity hcl.DiagnosticSeverity) hcl.Diagnostics {
	var of hcl.Diagnostics
	for _, diag := range d.all {
		if diag.Severity == severity {
			of = append(of, diag)
		}
	}
	return of
}

// Lines returns each mistake as a line, "file:line:column: summary".
func (d *Diagnostics) Lines() []string {
	var lines []string
	for _, diag := range d.Errors() {
		line := diag.Summary
		if diag.Subject != nil {
			line = place(*diag.Subject) + ": " + line
		}
		lines = append(lines, line)
	}
	return lines
}

// Files returns the files in which the mistakes are.
func (d *Diagnostics) Files() []string {
	var files []string
	listed := make(map[string]bool)
	for _, diag := range d.Errors() {
		if diag.Subject != nil && !listed[diag.Subject.Filename] {
			listed[diag.Subject.Filename] = true
			files = append(files, diag.Subject.Filename)
		}
	}
	return files
}

// Print writes every diagnostic: its file, line and column, the source line, and what to do. Text is
// wrapped at width columns, 0 meaning never.
func (d *Diagnostics) Print(w io.Writer, color bool, width uint) {
	for i, diag := range d.all {
		if i > 0 {
			_, _ = io.WriteString(w, "\n")
		}
		d.print(w, diag, color, width)
	}
}

// Log reports every diagnostic as a line of a log, mistakes before warnings, for whoever reads that by machine.
func (d *Diagnostics) Log(logger *slog.Logger) {
	for _, diag := range append(d.Errors(), d.Warnings()...) {
		level := slog.LevelError
		if diag.Severity == hcl.DiagWarning {
			level = slog.LevelWarn
		}
		at := ""
		if diag.Subject != nil {
			at = place(*diag.Subject)
		}
		logger.Log(context.Background(), level, "configuration", "at", at, "summary", diag.Summary, "detail", diag.Detail)
	}
}

// sorted brings diagnostics into the order of the files as they were read, and of their lines; those
// without a place come first.
func sorted(diags hcl.Diagnostics, files []*file) hcl.Diagnostics {
	order := make(map[string]int, len(files))
	for i, f := range files {
		order[f.path] = i
	}
	slices.SortStableFunc(diags, func(a, b *hcl.Diagnostic) int {
		switch {
		case a.Subject == nil && b.Subject == nil:
			return 0
		case a.Subject == nil:
			return -1
		case b.Subject == nil:
			return 1
		}
		return cmp.Or(
			cmp.Compare(order[a.Subject.Filename], order[b.Subject.Filename]),
			cmp.Compare(a.Subject.Start.Line, b.Subject.Start.Line),
			cmp.Compare(a.Subject.Start.Column, b.Subject.Start.Column),
			cmp.Compare(a.Summary, b.Summary),
		)
	})
	return diags
}
