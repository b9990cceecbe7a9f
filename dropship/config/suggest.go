package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
)

// similar returns the one of names that was most likely meant by name, or nothing.
func similar(name string, names []string) string {
	best, fewest := "", len([]rune(name))*2/5+1 // fewer than so many edits
	fewest = max(fewest, 3)
	for _, candidate := range slices.Sorted(slices.Values(names)) {
		// Something wholly different is no suggestion, however short it is.
		edits := levenshtein.Distance(strings.ToLower(name), strings.ToLower(candidate), nil)
		if edits < fewest && edits < len([]rune(candidate)) {
			best, fewest = candidate, edits
		}
	}
	return best
}

// didYouMean returns a sentence to end a message with, or nothing.
func didYouMean(name string, names []string) string {
	if s := similar(name, names); s != "" {
		return fmt.Sprintf(" Did you mean %q?", s)
	}
	return ""
}

func quoted(names []string) string {
	q := make([]string, len(names))
	for i, name := range names {
		q[i] = fmt.Sprintf("%q", name)
	}
	return strings.Join(q, ", ")
}

// unknown reports that there is no thing of that name.
func (l *loader) unknown(summary string, at hcl.Range, thing, name string, known []string) {
	slices.Sort(known)
	known = slices.Compact(known)
	l.errorf(summary, &at, "There is no %s %q. There are %s.%s", thing, name, quoted(known), didYouMean(name, known))
}

const (
	unsupportedArgument = "Unsupported argument"
	suggestion          = "Did you mean"
)

// fromKind adds what a kind found wrong in its part of a block in f. The kind cannot know of the
// attributes that were taken from the block before, so their names are suggested here.
func (l *loader) fromKind(f *file, diags hcl.Diagnostics, taken ...string) {
	for _, diag := range diags {
		if diag.Summary == unsupportedArgument && diag.Subject != nil && !strings.Contains(diag.Detail, suggestion) {
			name := string(diag.Subject.SliceBytes(f.source.text))
			diag.Detail += didYouMean(name, taken)
		}
	}
	l.diags = append(l.diags, diags...)
}

// misplaced returns a sentence that says which block an argument of that name belongs into, or nothing.
func misplaced(name string) string {
	for _, block := range []struct {
		words  string
		fields any
	}{
		{"a service block", serviceBlock{}},
		{"an artifact block", artifactBlock{}},
		{"a before or an after block", hookBlock{}},
		{"no block: write it outside of all", rootBlock{}},
	} {
		schema, _ := gohcl.ImpliedBodySchema(block.fields)
		for _, attr := range schema.Attributes {
			if attr.Name == name {
				return fmt.Sprintf(" It belongs into %s.", block.words)
			}
		}
	}
	return ""
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
