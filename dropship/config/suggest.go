package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
)

// Similar returns the one of names that was most likely meant by name, or nothing.
func Similar(name string, names []string) string {
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
	if s := Similar(name, names); s != "" {
		return fmt.Sprintf(" %s %q?", suggestion, s)
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
	unknownVariable     = "Unknown variable"
	suggestion          = "Did you mean"
)

// otherNames are what other tools call an argument, by the block that it stands in.
var otherNames = map[string]map[string]string{
	"service":  {"interval": "checkInterval"},
	"repo s3":  {"region": "name"},
	"artifact": {"key": "path", "dest": "destination"},
	"script":   {"cmd": "command"},
}

// fromKind adds what a kind found wrong in its part of a block in f. The kind cannot know of the
// attributes that were taken from the block before, so their names are suggested here.
func (l *loader) fromKind(f *file, block string, diags hcl.Diagnostics, taken ...string) {
	for _, diag := range diags {
		if diag.Summary != unsupportedArgument || diag.Subject == nil || strings.Contains(diag.Detail, suggestion) {
			continue
		}
		name := string(diag.Subject.SliceBytes(f.source.text))
		if meant := otherNames[block][name]; meant != "" {
			diag.Detail += fmt.Sprintf(" %s %q?", suggestion, meant)
			continue
		}
		diag.Detail += didYouMean(name, taken)
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
