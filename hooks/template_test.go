package hooks_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

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

// What json makes of any value is read back as that value; only what is no UTF-8 cannot be had in JSON.
func TestTemplateJSON(t *testing.T) {
	t.Parallel()
	p, err := hooks.ParseTemplate(`{"name": {{json .Name}}, "text": {{printf "%s: %s" .Name .Error | json}}, "status": {{json .Status}}}`)
	if err != nil {
		t.Fatal(err)
	}
	const odd = "\"quoted\" \\ <b>&\r\n\t\u2028\x00ä"
	text, err := p.Render(hooks.Event{Name: odd, Error: "\xff", Status: hooks.StatusFailed})
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if diff := cmp.Diff(map[string]string{"name": odd, "text": odd + ": \ufffd", "status": "failed"}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if !strings.Contains(text, "<b>&") {
		t.Errorf("got %s, want <b>& in it as it is", text)
	}
}

func TestTemplateStarted(t *testing.T) {
	t.Parallel()
	p, err := hooks.ParseTemplate(`{{.Started}} {{json .Started}} {{.Started.UnixMilli}}`)
	if err != nil {
		t.Fatal(err)
	}
	started := time.Date(2015, time.January, 2, 16, 4, 5, 678e6, time.FixedZone("CET", 3600))
	if got, _ := p.Render(hooks.Event{Started: started}); got != `2015-01-02T15:04:05Z "2015-01-02T15:04:05Z" 1420211045678` {
		t.Errorf("got %s", got)
	}
	if p, err = hooks.ParseTemplate(`{{.Started}}{{json .Started}}`); err != nil {
		t.Fatal(err)
	}
	if got, err := p.Render(hooks.Event{}); got != `""` || err != nil {
		t.Errorf("of no time: got %s, %v", got, err)
	}
}

func TestTemplateTry(t *testing.T) {
	t.Parallel()
	isJSON := func(text string) error {
		if !json.Valid([]byte(text)) {
			return errors.New("no JSON")
		}
		return nil
	}
	for text, want := range map[string]string{
		`{"name": "{{.Name}}", "error": {{json .Error}}}`:                         "",
		`{"error": "{{.Error}}"}`:                                                 `no JSON (tried with a made-up event: status "rollback"`,
		`{"artifact": "{{.Artifact}}"}`:                                           `no JSON (tried with a made-up event: status "update"`,
		`{"to": "{{.Destination}}"}`:                                              `no JSON (tried with`,
		`{"error": {{if eq .Status "failed"}}oops{{else}}{{json .Error}}{{end}}}`: `no JSON (tried with a made-up event: status "failed"`,
	} {
		p, err := hooks.ParseTemplate(text)
		if err != nil {
			t.Fatal(err)
		}
		err = p.Try(isJSON)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}
