package attr_test

import (
	"testing"

	"github.com/hashicorp/hcl/v2"

	"github.com/dropship/dropship/artifact/internal/attr"
)

func at(file string, line, from, to int) hcl.Range {
	return hcl.Range{
		Filename: file,
		Start:    hcl.Pos{Line: line, Column: from, Byte: 100*line + from},
		End:      hcl.Pos{Line: line, Column: to, Byte: 100*line + to},
	}
}

func TestBrokenAndDecoded(t *testing.T) {
	t.Parallel()
	inside := at("a.hcl", 2, 5, 9)
	warned := at("a.hcl", 7, 1, 9)
	diags := hcl.Diagnostics{
		{Severity: hcl.DiagError, Summary: "nowhere"},
		{Severity: hcl.DiagWarning, Summary: "only a warning", Subject: &warned},
		attr.Mistake(inside, "x", "y"),
	}
	for _, tt := range []struct {
		name            string
		value           hcl.Range
		broken, decoded bool
	}{
		{name: "absent"},
		{name: "mistaken", value: at("a.hcl", 2, 1, 20), broken: true},
		{name: "another line", value: at("a.hcl", 3, 5, 9), decoded: true},
		{name: "another file", value: at("b.hcl", 2, 5, 9), decoded: true},
		{name: "warned of", value: warned, decoded: true},
	} {
		if got := attr.Broken(diags, tt.value); got != tt.broken {
			t.Errorf("%s: got broken %t, want %t", tt.name, got, tt.broken)
		}
		if got := attr.Decoded(diags, tt.value); got != tt.decoded {
			t.Errorf("%s: got decoded %t, want %t", tt.name, got, tt.decoded)
		}
	}
	if !attr.Broken(diags, warned, inside) {
		t.Error("got broken false for two values of which one is, want true")
	}
}
