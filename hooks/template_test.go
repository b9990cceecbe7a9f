package hooks_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"

	"github.com/dropship/dropship/hooks"
)

func TestTemplate(t *testing.T) {
	t.Parallel()
	p, err := hooks.ParseTemplate(`deployed {{.Name}} {{slice .Hash 0 4}} on {{.Hostname}}{{with .Error}}: {{.}}{{end}}`)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		ev   hooks.Event
		want string
	}{
		{hooks.Event{Name: "web", Hash: "1111aaaa", Hostname: "one"}, "deployed web 1111 on one"},
		{hooks.Event{Name: "web", Hash: "2222bbbb", Hostname: "two", Error: "<x>"}, "deployed web 2222 on two: <x>"},
		{hooks.Event{Name: "web", Hash: "1111aaaa", Hostname: "one"}, "deployed web 1111 on one"},
	}
	for i, tt := range tests {
		got, err := p.Render(tt.ev)
		if err != nil || got != tt.want {
			t.Errorf("event %d: got %q, %v, want %q", i, got, err, tt.want)
		}
	}
}

func TestParseTemplateErrors(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want string }{
		{"syntax", "{{.Name", "unclosed action"},
		{"unknown field", "{{.Hsah}}", "there is no {{.Hsah}}; there are Name, Hostname, Hash,"},
		{"unknown field in a branch not taken", `{{if eq .Name "x"}}{{.Nope}}{{end}}`, "there is no {{.Nope}}"},
		{"unknown field as an argument", `{{printf "%s" .Nope}}`, "there is no {{.Nope}}"},
		{"unknown field of the root", `{{with .Error}}{{.}}{{else}}{{$.Nope}}{{end}}`, "there is no {{.Nope}}"},
		{"every unknown field", `{{.One}} {{.Two}}`, "there is no {{.Two}}"},
		{"field of a field", `{{.Name.First}}`, "can't evaluate field First"},
		{"range that counts", `{{range 300000000}}{{end}}`, "nothing to range over"},
		{"range in a branch not taken", `{{if eq .Name "x"}}a{{else}}{{with .Hash}}{{range 3}}{{end}}{{end}}{{end}}`, "nothing to range over"},
		{"range in a template in it", `{{define "t"}}{{range 300000000}}{{end}}{{end}}{{template "t" .}}`, "nothing to range over"},
		{"only in a rollback", `{{if eq .Status "rollback"}}{{slice .Error 0 400}}{{end}}`, `status "rollback"`},
		{"only at a first install", `{{slice .PreviousHash 0 7}}`, `previous hash ""`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := hooks.ParseTemplate(tt.text)
			if err == nil {
				t.Fatal("got no error")
			}
			if p != nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, %q, want %q in it", p, err, tt.want)
			}
		})
	}
}

func TestDecodeTemplate(t *testing.T) {
	t.Parallel()
	rng := hcl.Range{Filename: "web.hcl", Start: hcl.Pos{Line: 3, Column: 10}}
	p, diags := hooks.DecodeTemplate("{{.Nope}}", rng)
	if p != nil || len(diags) != 1 || !diags.HasErrors() {
		t.Fatalf("got %v and %d diagnostics, want one error", p, len(diags))
	}
	if diff := cmp.Diff(&rng, diags[0].Subject); diff != "" {
		t.Errorf("subject (-want +got):\n%s", diff)
	}
	if p, diags := hooks.DecodeTemplate("{{.Name}}", rng); p == nil || diags != nil {
		t.Errorf("got %v, %v, want a template", p, diags)
	}
}
