package hooks_test

import (
	"strings"
	"testing"

	"github.com/dropship/dropship/hooks"
)

// FuzzTemplate wants that a template is refused when it is parsed, or renders any event: to the same text each
// time, and without a change to the event. An error is one of this event alone, so it comes again as well.
func FuzzTemplate(f *testing.F) {
	for _, text := range []string{
		"", "deployed {{.Name}} on {{.Hostname}}", "{{.Name", "{{.Hsah}}", "{{slice .Hash 0 4}}", "{{.Name.First}}",
		`{{if eq .Status "rollback"}}{{.Error}}{{else}}{{with .PreviousHash}}{{.}}{{end}}{{end}}`,
		`{{define "t"}}{{.Phase | printf "%q"}}{{end}}{{template "t" .}}`, `{{define "t"}}{{template "t" .}}{{end}}{{template "t" .}}`,
		`{{range $i, $e := .}}{{end}}`, `{{range 300000000}}{{end}}`, `{{if .Error}}{{else}}{{range 1e9}}{{end}}{{end}}`, `{{index .Hash 99}}`, `{{call .Name}}`, `{{$x := .}}{{$x.Artifact}}{{break}}`, "{{- /* c */ -}}", "{{html .Error | js}}",
		`{"error": {{json .Error}}, "started": {{.Started | json}}}`, "{{.Started.UnixMilli}} {{.Started}}", "{{json .}}", "{{json .Environ}}",
	} {
		f.Add(text, "web", "0123456789abcdef", "after hook 1: exit status 1")
	}
	f.Add("{{.Name}}\x00\xff", "\xff", "", "\n{{.Name}}")
	f.Fuzz(func(t *testing.T, text, name, hash, failure string) {
		parsed, err := hooks.ParseTemplate(text)
		if err != nil {
			if parsed != nil {
				t.Errorf("got a template with the error %v", err)
			}
			return
		}
		ev := hooks.Event{
			Name: name, Hostname: name, Hash: hash, PreviousHash: hash, Phase: hooks.After, Status: hooks.StatusRollback,
			Error: failure, Artifact: name, Destination: name, UpdateID: hash,
		}
		before := ev
		first, firstErr := parsed.Render(ev)
		if _, err := parsed.Render(hooks.Event{}); err == nil && !strings.Contains(text, "{{") {
			if first != text {
				t.Errorf("got %q of the text %q", first, text)
			}
		}
		second, secondErr := parsed.Render(ev)
		if first != second || (firstErr == nil) != (secondErr == nil) {
			t.Errorf("got %q, %v, and then %q, %v", first, firstErr, second, secondErr)
		}
		if firstErr != nil && first != "" {
			t.Errorf("got %q with the error %v", first, firstErr)
		}
		if ev != before {
			t.Errorf("the event is changed to %+v", ev)
		}
	})
}

// FuzzEnviron wants that no field of an event can make, hide or change the variable of another one: of what
// the kernel takes, NUL-terminated strings, there is one for each field.
func FuzzEnviron(f *testing.F) {
	f.Add("web", "web-01", "0123", "update", "exit status 1", "s3://b/k", "/srv/web")
	f.Add("", "\x00DROPSHIP_HASH=x", "\nPATH=/tmp", "a=b\x00", "\x00", "\xff\x00\xfe", "DROPSHIP_NAME=")
	f.Fuzz(func(t *testing.T, name, host, hash, status, failure, source, destination string) {
		ev := hooks.Event{
			Name: name, Hostname: host, Hash: hash, PreviousHash: hash, Phase: hooks.Phase(status), Status: hooks.Status(status),
			Error: failure, Artifact: source, Destination: destination, UpdateID: name,
		}
		want := []struct{ key, value string }{
			{"NAME", name},
			{"HOSTNAME", host},
			{"HASH", hash},
			{"PREVIOUS_HASH", hash},
			{"PHASE", status},
			{"STATUS", status},
			{"ERROR", failure},
			{"ARTIFACT", source},
			{"DESTINATION", destination},
			{"UPDATE_ID", name},
			{"STARTED", ""},
		}
		got := strings.Split(strings.Join(ev.Environ(), "\x00"), "\x00")
		if len(got) != len(want) {
			t.Fatalf("got %d variables, %q, want %d", len(got), got, len(want))
		}
		for i, w := range want {
			if variable := "DROPSHIP_" + w.key + "=" + strings.ReplaceAll(w.value, "\x00", ""); got[i] != variable {
				t.Errorf("got %q, want %q", got[i], variable)
			}
		}
	})
}
