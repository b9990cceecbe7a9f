package webhook_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/webhook"
)

// FuzzDefaultBody wants that whatever an update is about, the body is JSON that has just that in it, but for bytes that are
// no UTF-8, which JSON cannot have.
func FuzzDefaultBody(f *testing.F) {
	body, err := hooks.ParseTemplate(webhook.DefaultBody)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("web", "/srv/web", "exit status 1: \"no\"\r\n\t\\ <b>& \u2028")
	f.Add("\xff\x00", "{{json .Error}}", "\"}, {\"status\": \"update")
	f.Fuzz(func(t *testing.T, name, destination, failure string) {
		text, err := body.Render(hooks.Event{Name: name, Destination: destination, Error: failure})
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]string
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		want := map[string]string{"name": runes(name), "destination": runes(destination), "error": runes(failure)}
		for _, key := range strings.Fields("hostname hash previous_hash phase status artifact update_id started") {
			want[key] = ""
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

// runes returns s with a replacement character for each byte that is no UTF-8.
func runes(s string) string { return string([]rune(s)) }
