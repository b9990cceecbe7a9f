package attr_test

import (
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/dropship/dropship/hooks/internal/attr"
)

func at(file string, line, from, to int) hcl.Range {
	return hcl.Range{
		Filename: file,
		Start:    hcl.Pos{Line: line, Column: from, Byte: 100*line + from},
		End:      hcl.Pos{Line: line, Column: to, Byte: 100*line + to},
	}
}

func TestDecoded(t *testing.T) {
	t.Parallel()
	diags := hcl.Diagnostics{{Summary: "nowhere"}, attr.Mistake(at("a.hcl", 2, 5, 9), "x", "y")}
	tests := []struct {
		name  string
		value hcl.Range
		want  bool
	}{
		{"absent", hcl.Range{}, false},
		{"mistaken", at("a.hcl", 2, 1, 20), false},
		{"another line", at("a.hcl", 3, 5, 9), true},
		{"another file", at("b.hcl", 2, 5, 9), true},
	}
	for _, tt := range tests {
		if got := attr.Decoded(diags, tt.value); got != tt.want {
			t.Errorf("%s: got %t, want %t", tt.name, got, tt.want)
		}
	}
}

func TestDuration(t *testing.T) {
	t.Parallel()
	value := at("a.hcl", 2, 5, 9)
	if d, diags := attr.Duration("interval", "1m30s", value); d != 90*time.Second || diags != nil {
		t.Errorf("got %s, %v, want 1m30s", d, diags)
	}
	for _, text := range []string{"", "10", "tenz", "0s", "-1s"} {
		_, diags := attr.Duration("interval", text, value)
		if len(diags) != 1 || *diags[0].Subject != value || !diags.HasErrors() {
			t.Errorf("%q: got %v, want one error at its value", text, diags)
		}
	}
}
