package attr_test

import (
	"testing"

	"github.com/dropship/dropship/dropship/secret"
	"github.com/dropship/dropship/hooks/internal/attr"
)

func TestServer(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"http://graphite":                       true,
		"https://user:pw@example.com:8443/a?b#": true,
		"http://[::1]:80/":                      true,
		"http://127.0.0.1":                      true,
		"http://<my-server>":                    false,
		"http://user:pw:?":                      false,
		"http://":                               false,
		"ftp://example.com":                     false,
		"example.com":                           false,
		"http://a b":                            false,
		"":                                      false,
	} {
		if u, got := attr.Server(text); got != want || (u != nil) != want {
			t.Errorf("%q: got %v, %t, want %t", text, u, got, want)
		}
	}
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	value := at("a.hcl", 2, 5, 9)
	if diags := attr.Headers(map[string]secret.String{"Authorization": "Bearer x", "X-Y": ""}, value); diags != nil {
		t.Errorf("got %v", diags)
	}
	diags := attr.Headers(map[string]secret.String{"A B": "x", "C": "x\ny", "D": "x\x00"}, value)
	if len(diags) != 3 {
		t.Fatalf("got %d diagnostics, want 3: %v", len(diags), diags)
	}
	for _, d := range diags {
		if *d.Subject != value || d.Summary != "Invalid header" {
			t.Errorf("got %v", d)
		}
	}
}
