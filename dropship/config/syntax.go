package config

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// parse returns a file's text fit to print, what it says, nil where nothing can be told of it, and what
// is wrong with its syntax.
func parse(path string, text []byte) (*source, *hcl.File, hcl.Diagnostics) {
	refuse := func(at int, summary, detail string) (*source, *hcl.File, hcl.Diagnostics) {
		line := hcl.Pos{Line: 1 + bytes.Count(text[:at], []byte("\n")), Column: 1, Byte: at}
		return newSource(path, nil), nil, hcl.Diagnostics{problem(summary, &hcl.Range{Filename: path, Start: line, End: line}, "%s", detail)}
	}
	if at := notText(text); at >= 0 {
		return refuse(at, "Not UTF-8", "The file is in another encoding, UTF-16 perhaps. Save it as UTF-8.")
	}
	if at := tooDeep(text); at >= 0 {
		return refuse(at, "Nested too deep", fmt.Sprintf("More than %d brackets are open here: close them.", maxDepth))
	}
	if diag := findEnormous(path, text); diag != nil {
		return newSource(path, text), nil, hcl.Diagnostics{diag}
	}
	parsed, diags := hclsyntax.ParseConfig(text, path, hcl.InitialPos)
	if !slices.ContainsFunc(diags, leavesDoubt) {
		return newSource(path, text), parsed, diags
	}
	var told hcl.Diagnostics
	unclosed := findUnclosed(path, text)
	if unclosed != nil {
		// Beyond it, what is a string and what is none cannot be told: none of that is read, or shown.
		text = text[:unclosed.Subject.End.Byte]
		parsed, diags = hclsyntax.ParseConfig(text, path, hcl.InitialPos)
		told = append(told, unclosed)
	}
	src := newSource(path, text)
	src.broken = true
	for _, diag := range diags {
		leftOpen := strings.HasPrefix(diag.Summary, "Un") // closed, terminated, balanced
		if unclosed == nil || diag.Subject.Start.Line < unclosed.Subject.Start.Line && !leftOpen {
			told = append(told, diag)
		}
	}
	return src, parsed, explainSyntax(upToHidden(told, src))
}

// leavesDoubt reports whether a mistake of syntax makes the rest of the file uncertain. An argument that is set twice does
// not: the first one counts.
func leavesDoubt(diag *hcl.Diagnostic) bool {
	return diag.Severity == hcl.DiagError && diag.Summary != "Attribute redefined"
}

// upToHidden returns diags without those behind the first that is in a hidden value: where that ends is
// not certain, and they may be mistakes of its other half.
func upToHidden(diags hcl.Diagnostics, src *source) hcl.Diagnostics {
	slices.SortStableFunc(diags, func(a, b *hcl.Diagnostic) int { return a.Subject.Start.Byte - b.Subject.Start.Byte })
	for i, diag := range diags {
		if src.credentials().hides(*diag.Subject) {
			return diags[:i+1]
		}
	}
	return diags
}

// notText returns where text stops being UTF-8, or -1.
func notText(text []byte) int {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == 0 || r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// findUnclosed returns a mistake that covers the rest of the line from the first quote or heredoc without
// an end, or nil.
func findUnclosed(path string, text []byte) *hcl.Diagnostic {
	tokens, _ := hclsyntax.LexConfig(text, path, hcl.InitialPos)
	var open hclsyntax.Tokens
	for _, token := range tokens {
		switch token.Type {
		case hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc:
			open = append(open, token)
		case hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc:
			open = open[:max(len(open)-1, 0)]
		case hclsyntax.TokenQuotedNewline:
			for _, quote := range open {
				if quote.Type == hclsyntax.TokenOQuote {
					return problem("Unclosed quote", restOfLine(quote, text),
						"The quote that opens here is not closed in its line. What follows in this file is checked once it is.")
				}
			}
		case hclsyntax.TokenEOF:
			if len(open) > 0 && open[0].Type == hclsyntax.TokenOHeredoc {
				return problem("Unclosed heredoc", restOfLine(open[0], text),
					"No line below is the marker alone, which would end this text. What follows in this file is checked once there is one.")
			}
		}
	}
	return nil
}

// restOfLine returns the range from a token to the end of the line that it begins on.
func restOfLine(token hclsyntax.Token, text []byte) *hcl.Range {
	line, _, _ := bytes.Cut(text[token.Range.Start.Byte:], []byte("\n"))
	r := token.Range
	r.End = hcl.Pos{
		Line:   r.Start.Line,
		Column: r.Start.Column + utf8.RuneCount(line),
		Byte:   r.Start.Byte + len(line),
	}
	return &r
}

// In the syntax of HCL 1, which the first version of Dropship read, these were no mistakes.
var syntaxHints = map[string]string{
	"Invalid single-argument block definition": "Where a block has more than one argument, each goes on a line of its own.",
	"Missing newline after argument":           "Each argument goes on a line of its own.",
	"Invalid argument name":                    "Write the name without quotes.",
	"Invalid block definition":                 `Write a block as in: artifact "s3" { … }, without an equals sign.`,
}

func explainSyntax(diags hcl.Diagnostics) hcl.Diagnostics {
	for _, diag := range diags {
		if hint := syntaxHints[diag.Summary]; hint != "" {
			diag.Detail += " " + hint
		}
	}
	return diags
}

// Of these, HCL shows what it does not know.
var hiddenDetails = map[string]string{
	unknownVariable:                    `There is no such variable. Put the value in quotes, or take it from elsewhere, with env("NAME") or file("path").`,
	"Call to unknown function":         `There is no such function: there are env("NAME") and file("path"). Put the value in quotes, if it is one.`,
	"Invalid template control keyword": `The characters %{ begin a directive in a string. To have them in the value, write %%{.`,
}

// explainVariable says what may be meant by a name that only the shell knows.
func explainVariable(name string) string {
	return fmt.Sprintf(" In a string $${%s} leaves it to the shell, and ${env(%q)} takes it from the environment when the configuration is loaded.", name, name)
}
