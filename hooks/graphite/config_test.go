package graphite_test

import (
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/graphite"
	"github.com/dropship/dropship/hooks/hookstest"
)

func TestKind(t *testing.T) {
	t.Parallel()
	k := graphite.Kind()
	if k.Timeout != 15*time.Second || k.OnError != hooks.Continue || k.When != hooks.Success {
		t.Errorf("got %s, %s, %s, want 15s, continue, success", k.Timeout, k.OnError, k.When)
	}
}

// The example that the tool has always had names a host that is none. It loads, with a warning.
func TestPlaceholderHostIsAWarning(t *testing.T) {
	t.Parallel()
	h, diags := hookstest.Decode(t, graphite.Kind(), attributes+`host = "http://<my-graphite-server>"`)
	if len(diags) != 1 || diags[0].Severity != hcl.DiagWarning || diags[0].Summary != "Host is not a valid address yet" {
		t.Fatalf("got %v, want one warning", diags)
	}
	if got, want := diags[0].Subject.Start, (hcl.Pos{Line: 5, Column: 8, Byte: len(attributes) + 7}); got != want {
		t.Errorf("subject begins at %v, want %v", got, want)
	}
	if got, want := h.String(), "graphite-event http://<my-graphite-server>"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	err := h.Run(t.Context(), hookstest.Event(1))
	if err == nil || !strings.Contains(err.Error(), "host http://<my-graphite-server> is not a valid address") {
		t.Errorf("got %v, want an error that names the host", err)
	}
	// One that cannot be parsed may have a password in it anywhere.
	h, _ = hookstest.Decode(t, graphite.Kind(), attributes+`host = "http://u:planted@<server>"`)
	if strings.Contains(h.String(), "planted") {
		t.Errorf("%s shows the password", h)
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, source string
		want         []hookstest.Mistake
	}{
		{"no scheme", "what = \"x\"\nhost = \"graphite.example.com\"", []hookstest.Mistake{{Line: 2, Column: 8, Summary: "Invalid host"}}},
		{"another scheme", "what = \"x\"\nhost = \"ftp://graphite\"", []hookstest.Mistake{{Line: 2, Column: 8, Summary: "Invalid host"}}},
		{"nothing but a scheme", "what = \"x\"\nhost = \"http://\"", []hookstest.Mistake{{Line: 2, Column: 8, Summary: "Invalid host"}}},
		{"a query", "what = \"x\"\nhost = \"http://g/?a=b\"", []hookstest.Mistake{{Line: 2, Column: 8, Summary: "Invalid host"}}},
		{"tags of a wrong type", "what = \"x\"\nhost = \"http://g\"\ntags = 5", []hookstest.Mistake{{Line: 3, Column: 8, Summary: "Invalid tags"}}},
		{"null among the tags", "what = \"x\"\nhost = \"http://g\"\ntags = [null]", []hookstest.Mistake{{Line: 3, Column: 8, Summary: "Invalid tags"}}},
		{"nothing", ``, []hookstest.Mistake{
			{Line: 1, Column: 1, Summary: "Missing required argument"},
			{Line: 1, Column: 1, Summary: "Missing required argument"},
		}},
		{"all at once", "host = \"x\"\nwhat = \" \"\ndata = \"{{.Nope}}\"\ntags = [\"{{.Nope}}\", \"{{\"]\nhots = 1", []hookstest.Mistake{
			{Line: 5, Column: 1, Summary: "Unsupported argument"},
			{Line: 1, Column: 8, Summary: "Invalid host"},
			{Line: 2, Column: 8, Summary: "Empty what"},
			{Line: 3, Column: 8, Summary: "Invalid template"},
			{Line: 4, Column: 8, Summary: "Invalid template"},
			{Line: 4, Column: 8, Summary: "Invalid template"},
		}},
		{"tags that cannot be had", "host = \"http://g\"\nwhat = \"x\"\ntags = nope", []hookstest.Mistake{{Line: 3, Column: 8, Summary: "Unknown variable"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			hookstest.Refuses(t, graphite.Kind(), tt.source, tt.want)
		})
	}
}
