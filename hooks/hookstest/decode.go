package hookstest

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"

	"github.com/dropship/dropship/hooks"
)

// Decode makes a hook of kind from source, the inside of its block, in a file called test.hcl. There are
// a variable and a function to evaluate, name and upper, as a configuration has its env and file.
func Decode(t testing.TB, kind hooks.Kind, source string) (hooks.Hook, hcl.Diagnostics) {
	t.Helper()
	file, diags := hclsyntax.ParseConfig([]byte(source), "test.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatalf("the source of the test does not parse: %v", diags)
	}
	return kind.New(file.Body, &hcl.EvalContext{
		Variables: map[string]cty.Value{"name": cty.StringVal("a-variable")},
		Functions: map[string]function.Function{"upper": stdlib.UpperFunc},
	})
}

// New is Decode for a source without a mistake.
func New(t testing.TB, kind hooks.Kind, source string) hooks.Hook {
	t.Helper()
	h, diags := Decode(t, kind, source)
	for _, d := range diags {
		t.Fatalf("%s: %s; %s", d.Subject, d.Summary, d.Detail)
	}
	return h
}

// A Mistake is what a diagnostic must say, and the line and column where its subject must begin.
type Mistake struct {
	Line, Column int
	Summary      string
}

// Mistakes returns the place and summary of each diagnostic, in order.
func Mistakes(diags hcl.Diagnostics) []Mistake {
	var all []Mistake
	for _, d := range diags {
		m := Mistake{Summary: d.Summary}
		if d.Subject != nil {
			m.Line, m.Column = d.Subject.Start.Line, d.Subject.Start.Column
		}
		all = append(all, m)
	}
	return all
}

// Refuses decodes source, which has these mistakes and no other, and wants no hook of it. No diagnostic shows any of the
// secrets; "planted" is always one.
func Refuses(t testing.TB, kind hooks.Kind, source string, want []Mistake, secrets ...string) {
	t.Helper()
	h, diags := Decode(t, kind, source)
	if diff := cmp.Diff(want, Mistakes(diags)); diff != "" {
		t.Errorf("diagnostics (-want +got):\n%s", diff)
	}
	if h != nil {
		t.Errorf("got a hook, %s, for a block with a mistake", h)
	}
	for _, d := range diags {
		for _, secret := range append(secrets, "planted") {
			if strings.Contains(d.Detail, secret) {
				t.Errorf("a credential is shown: %s", d.Detail)
			}
		}
	}
}
