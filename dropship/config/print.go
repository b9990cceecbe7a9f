package config

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/mitchellh/go-wordwrap"
)

const (
	red, yellow, bold, reset = "\x1b[31m", "\x1b[33m", "\x1b[1m", "\x1b[0m"
)

// print writes one diagnostic as compilers do, so that editors find the place:
//
//	/etc/dropship.d/web.hcl:3:19: error: Invalid duration
//	   3 |   checkInterval = "tenz"
//	     |                   ^^^^^^
//	  "tenz" is no duration. …
func (d *Diagnostics) print(w io.Writer, diag *hcl.Diagnostic, color bool, width uint) {
	severity, paint := "error", red
	if diag.Severity == hcl.DiagWarning {
		severity, paint = "warning", yellow
	}
	strong, plain := bold, reset
	if !color {
		paint, strong, plain = "", "", ""
	}
	at := ""
	if diag.Subject != nil {
		at = place(*diag.Subject) + ": "
	}
	fmt.Fprintf(w, "%s%s%s:%s %s%s%s\n", at, paint, severity, plain, strong, diag.Summary, plain)
	if diag.Subject != nil {
		d.printLine(w, *diag.Subject, paint, plain)
	}
	detail := diag.Detail
	if width > 20 {
		detail = wordwrap.WrapString(detail, width-2)
	}
	for line := range strings.Lines(detail) {
		fmt.Fprintf(w, "  %s\n", strings.TrimRight(line, "\n"))
	}
}

// printLine shows the line where at begins, and marks what of it is meant.
func (d *Diagnostics) printLine(w io.Writer, at hcl.Range, paint, plain string) {
	src := d.sources[at.Filename]
	if src == nil || len(src.text) == 0 || at.Start.Byte == formerly {
		return
	}
	line, faithful := src.line(at.Start.Line)
	fmt.Fprintf(w, "%4d | %s\n", at.Start.Line, printable(line))
	start := at.Start.Byte - src.lineStart(at.Start.Line)
	hidden := faithful < len(line)
	if start < 0 || start > faithful || start == faithful && hidden {
		return
	}
	end := min(max(start+at.End.Byte-at.Start.Byte, start), faithful)
	marks := max(utf8.RuneCountInString(line[start:end]), 1) // where something is missing, too
	// Tabs stay, so that the marks stand below what they mark.
	margin := strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, line[:start])
	fmt.Fprintf(w, "     | %s%s%s%s\n", margin, paint, strings.Repeat("^", marks), plain)
}

// printable takes out what would act on a terminal.
func printable(line string) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && unicode.IsControl(r) {
			return '�'
		}
		return r
	}, line)
}
