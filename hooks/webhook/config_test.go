package webhook_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/hookstest"
	"github.com/dropship/dropship/hooks/webhook"
)

func TestKind(t *testing.T) {
	t.Parallel()
	k := webhook.Kind()
	if k.Timeout != 30*time.Second || k.OnError != hooks.Continue || k.When != hooks.Success {
		t.Errorf("got %s, %s, %s, want 30s, continue, success", k.Timeout, k.OnError, k.When)
	}
}

func TestString(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"https://hooks.slack.com/services/T0/B0/xyz":    "webhook https://hooks.slack.com",
		"http://ann:pw@[::1]:8080/x?sig=s":              "webhook http://[::1]:8080",
		"https://prod-1.example.com:443/a/b?sp=1&sig=2": "webhook https://prod-1.example.com:443",
	} {
		if got := newHook(t, fmt.Sprintf("url = %q", url)).String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	const url = "url = \"http://h\"\n"
	tests := []struct {
		name, source string
		want         []hookstest.Mistake
	}{
		{"nothing", ``, []hookstest.Mistake{{Line: 1, Column: 1, Summary: "Missing required argument"}}},
		{"no address", "url = \"h/planted\"", []hookstest.Mistake{{Line: 1, Column: 7, Summary: "Invalid url"}}},
		{"a placeholder", "url = \"https://<planted>/\"", []hookstest.Mistake{{Line: 1, Column: 7, Summary: "Invalid url"}}},
		{"a fragment", "url = \"https://h/#planted\"", []hookstest.Mistake{{Line: 1, Column: 7, Summary: "Invalid url"}}},
		{"GET", url + `method = "GET"`, []hookstest.Mistake{{Line: 2, Column: 10, Summary: "Invalid method"}}},
		{"headers", url + `headers = { "a b" = "x", c = "planted\n" }`, []hookstest.Mistake{
			{Line: 2, Column: 11, Summary: "Invalid header"},
			{Line: 2, Column: 11, Summary: "Invalid header"},
		}},
		{"a header of its own", url + `headers = { "WEBHOOK-ID" = "planted" }`, []hookstest.Mistake{{Line: 2, Column: 11, Summary: "Invalid header"}}},
		{"empty secret", url + `secret = ""`, []hookstest.Mistake{{Line: 2, Column: 10, Summary: "Empty secret"}}},
		{"secret without prefix", url + `secret = "cGxhbnRlZC1zaWduaW5nLWtleS1vZi0zMi1ieXRlcyE="`, []hookstest.Mistake{{Line: 2, Column: 10, Summary: "Invalid secret"}}},
		{"secret in hex", url + `secret = "whsec_planted-0123"`, []hookstest.Mistake{{Line: 2, Column: 10, Summary: "Invalid secret"}}},
		{"short secret", url + `secret = "whsec_cGxhbnRlZA=="`, []hookstest.Mistake{{Line: 2, Column: 10, Summary: "Invalid secret"}}},
		{"no template", url + `body = "{{"`, []hookstest.Mistake{{Line: 2, Column: 8, Summary: "Invalid template"}}},
		{"no such field", url + `body = "{{json .Eror}}"`, []hookstest.Mistake{{Line: 2, Column: 8, Summary: "Invalid template"}}},
		{"no string", url + `body = ["planted"]`, []hookstest.Mistake{{Line: 2, Column: 8, Summary: "Invalid body"}}},
		{"null", url + `body = null`, []hookstest.Mistake{{Line: 2, Column: 8, Summary: "Invalid body"}}},
		{"no JSON at all", url + `body = "planted {{.Name}}"`, []hookstest.Mistake{{Line: 2, Column: 8, Summary: "Invalid body"}}},
		{"two of them", url + `body = "{} {}"`, []hookstest.Mistake{{Line: 2, Column: 8, Summary: "Invalid body"}}},
		{"no JSON once there are quotes", url + `body = "{\"planted\": \"{{.Error}}\"}"`, []hookstest.Mistake{{Line: 2, Column: 8, Summary: "Invalid body"}}},
		{"no JSON, in a heredoc", url + "body = <<EOT\n{\"planted\": \"{{.Destination}}\"}\nEOT\n", []hookstest.Mistake{{Line: 2, Column: 8, Summary: "Invalid body"}}},
		{"no JSON in a rollback", url + `body = "{{if ne .Status \"rollback\"}}1{{end}}"`, []hookstest.Mistake{{Line: 2, Column: 8, Summary: "Invalid body"}}},
		{"no JSON of another JSON type", url + "headers = { content-type = \"application/cloudevents+json; charset=utf-8\" }\nbody = \"x\"", []hookstest.Mistake{
			{Line: 3, Column: 8, Summary: "Invalid body"},
		}},
		{"all at once", "url = \"\"\nbody = nope\nsecret = \"x\"\nmethod = \"\"\nheader = {}", []hookstest.Mistake{
			{Line: 5, Column: 1, Summary: "Unsupported argument"},
			{Line: 1, Column: 7, Summary: "Invalid url"},
			{Line: 4, Column: 10, Summary: "Invalid method"},
			{Line: 3, Column: 10, Summary: "Invalid secret"},
			{Line: 2, Column: 8, Summary: "Unknown variable"},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			hookstest.Refuses(t, webhook.Kind(), tt.source, tt.want, "cGxhbnRlZ")
		})
	}
}

// A thousand services may each have a hook with the default body.
func TestDefaultBodyIsParsedOnce(t *testing.T) {
	const url = "url = \"http://h\"\n"
	decode := func(source string) float64 {
		return testing.AllocsPerRun(5, func() {
			if _, diags := hookstest.Decode(t, webhook.Kind(), source); diags.HasErrors() {
				t.Fatal(diags)
			}
		})
	}
	of, own := decode(url), decode(url+"body = <<EOT\n"+webhook.DefaultBody+"EOT\n")
	if of > own/4 {
		t.Errorf("a hook with the default body takes %.0f allocations, and %.0f with the same as its own", of, own)
	}
}

// The message says where the JSON is broken, when, and what to write.
func TestInvalidBodySaysWhatToDo(t *testing.T) {
	t.Parallel()
	_, diags := hookstest.Decode(t, webhook.Kind(), "url = \"http://h\"\nbody = <<EOT\n{\n  \"text\": \"{{.Error}}\"\n}\nEOT\n")
	if len(diags) != 1 {
		t.Fatalf("got %v, want one diagnostic", diags)
	}
	const want = `The body must be JSON, whatever is filled in: it is no JSON at line 2, column 50: invalid character 'a' after object key:value pair ` +
		`(tried with a made-up event: status "rollback", phase "after", previous hash "fedcba9876543210fedcba9876543210", with quotes and line breaks in its values). ` +
		`Write a value as {{json .Error}}, which brings its own quotes`
	if got := diags[0].Detail; !strings.HasPrefix(got, want) {
		t.Errorf("got  %s\nwant %s…", got, want)
	}
}
