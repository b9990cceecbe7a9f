package webhook_test

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/hookstest"
	"github.com/dropship/dropship/hooks/webhook"
)

// key is "planted-signing-key-of-32-bytes!" in base64.
const key = "whsec_cGxhbnRlZC1zaWduaW5nLWtleS1vZi0zMi1ieXRlcyE="

var planted = []string{
	"planted-path", "planted-query", "planted/password", "planted-header", "PLANTED-ROUTING-KEY", key, strings.TrimPrefix(key, "whsec_"),
	"planted-signing-key-of-32-bytes!",
}

func newHook(t *testing.T, source string) hooks.Hook {
	t.Helper()
	return hookstest.New(t, webhook.Kind(), source)
}

func TestSuite(t *testing.T) {
	at := func(t *testing.T, address string) hooks.Hook {
		return newHook(t, fmt.Sprintf(`
			url     = "http://ann:planted%%2Fpassword@%s/services/planted-path?sig=planted-query"
			headers = { Authorization-Key = "planted-header" }
			secret  = %q
			body    = <<-EOT
			  {"routing_key": "${upper("planted-routing-key")}", "hash": {{json .Hash}}}
			EOT
		`, address, key))
	}
	hookstest.Run(t, hookstest.Case{
		Kind:    "webhook",
		Secrets: planted,
		Works: func(t *testing.T, _ *slog.Logger) (hooks.Hook, func() []string) {
			address, got := hookstest.Recording(t, "ok")
			return at(t, address), got
		},
		Hangs: func(t *testing.T, _ *slog.Logger) (hooks.Hook, <-chan struct{}) {
			address, underWay := hookstest.Hanging(t)
			return at(t, address), underWay
		},
		Fails: map[string]func(*testing.T, *slog.Logger) hooks.Hook{
			"forbidden": func(t *testing.T, _ *slog.Logger) hooks.Hook {
				return at(t, hookstest.Echoing(t, http.StatusForbidden))
			},
			"redirected": func(t *testing.T, _ *slog.Logger) hooks.Hook { return at(t, hookstest.Echoing(t, http.StatusFound)) },
		},
	})
}

// A received request is one that came to a receiver.
type received struct {
	Method, URI string
	Header      http.Header
	Host        string
	Body        []byte
}

// receive starts a server that answers each request, from 1, by answer.
func receive(t *testing.T, answer func(n int, w http.ResponseWriter)) (url string, got func() []received) {
	t.Helper()
	var mu sync.Mutex
	var all []received
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("cannot read the request: %v", err)
		}
		mu.Lock()
		all = append(all, received{r.Method, r.RequestURI, r.Header.Clone(), r.Host, body})
		n := len(all)
		mu.Unlock()
		answer(n, w)
	}))
	t.Cleanup(s.Close)
	return s.URL, func() []received {
		mu.Lock()
		defer mu.Unlock()
		return append([]received(nil), all...)
	}
}

func ok(_ int, w http.ResponseWriter) { _, _ = io.WriteString(w, "ok") }

// output runs a hook as a chain does and returns what is kept of it.
func output(t *testing.T, h hooks.Hook, ev hooks.Event) (string, error) {
	t.Helper()
	var out string
	chain := hooks.Chain{{Hook: h, Timeout: 20 * time.Second, OnError: hooks.Abort, When: hooks.Always}}
	err := chain.Run(t.Context(), 0, ev, hooks.Report{End: func(_ int, ran hooks.Ran) { out = ran.Output }})
	return out, err
}

func TestDefaultBody(t *testing.T) {
	t.Parallel()
	url, got := receive(t, ok)
	ev := hookstest.Event(1)
	ev.Status, ev.Error = hooks.StatusFailed, "exit status 1: \"no\"\nat all \\ <b>"
	out, err := output(t, newHook(t, `url = "`+url+`/in?x=y"`), ev)
	if err != nil {
		t.Fatal(err)
	}
	if want := "200 OK: \"ok\"\n"; out != want {
		t.Errorf("got output %q, want %q", out, want)
	}
	r := got()[0]
	if r.Method != http.MethodPost || r.URI != "/in?x=y" || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("User-Agent") != "dropship" {
		t.Errorf("got %s %s with %v", r.Method, r.URI, r.Header)
	}
	if r.Header.Get("webhook-signature") != "" || r.Header.Get("webhook-timestamp") != "" {
		t.Errorf("got a signature without a secret: %v", r.Header)
	}
	var body map[string]string
	if err := json.Unmarshal(r.Body, &body); err != nil {
		t.Fatalf("%s: %v", r.Body, err)
	}
	// Its keys are the names that scripts get these by.
	want := map[string]string{}
	for _, v := range ev.Environ() {
		name, value, _ := strings.Cut(v, "=")
		want[strings.ToLower(strings.TrimPrefix(name, "DROPSHIP_"))] = value
	}
	if diff := cmp.Diff(want, body); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
}

// The signature is checked by the library that Standard Webhooks gives to receivers, not by a line of this project.
func TestSignature(t *testing.T) {
	t.Parallel()
	url, got := receive(t, func(n int, w http.ResponseWriter) {
		if n == 1 {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	h := newHook(t, `
		url    = "`+url+`"
		secret = "`+key+`"
		body   = "{\"text\": {{json .Error}}, \"emoji\": \"✓\"}\n"
	`)
	ev := hookstest.Event(1)
	ev.Error = "a \"b\"\nä"
	if _, err := output(t, h, ev); err != nil {
		t.Fatal(err)
	}
	requests := got()
	if len(requests) != 2 {
		t.Fatalf("got %d requests, want 2", len(requests))
	}
	verifier, err := standardwebhooks.NewWebhook(key)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range requests {
		if err := verifier.Verify(r.Body, r.Header); err != nil {
			t.Errorf("request %d: %v: %q %v", i+1, err, r.Body, r.Header)
		}
		changed := append([]byte(nil), r.Body...)
		changed[len(changed)-1] ^= 1
		if err := verifier.Verify(changed, r.Header); err == nil {
			t.Errorf("request %d: another body is verified", i+1)
		}
		if want := `{"text": "a \"b\"\nä", "emoji": "✓"}` + "\n"; string(r.Body) != want {
			t.Errorf("request %d: got %q, want %q", i+1, r.Body, want)
		}
	}
}

// webhook-id is the same however often a message is sent, and another one for another message.
func TestID(t *testing.T) {
	t.Parallel()
	url, got := receive(t, func(n int, w http.ResponseWriter) {
		if n == 1 {
			panic(http.ErrAbortHandler) // it may have been taken
		}
	})
	ids := func(source string, evs ...hooks.Event) []string {
		before := len(got())
		h := newHook(t, source)
		for _, ev := range evs {
			if _, err := output(t, h, ev); err != nil {
				t.Fatal(err)
			}
		}
		var all []string
		for _, r := range got()[before:] {
			all = append(all, r.Header.Get("webhook-id"))
		}
		return all
	}
	ev, rollback, before, next := hookstest.Event(1), hookstest.Event(1), hookstest.Event(1), hookstest.Event(2)
	rollback.Status, before.Phase = hooks.StatusRollback, hooks.Before
	same := ids(`url = "`+url+`"`, ev, ev)
	if len(same) != 3 || same[0] != same[1] || same[0] != same[2] {
		t.Fatalf("got %q of one message, want one id three times", same)
	}
	if !strings.HasPrefix(same[0], "update-1-after-update-") || strings.Contains(same[0], ".") {
		t.Errorf("got %q, want the update, phase and status in it, and no full stop", same[0])
	}
	all := map[string]bool{same[0]: true}
	others := append(ids(`url = "`+url+`"`, rollback, before, next), ids(`url = "`+url+`/other"`, ev)...)
	others = append(others, ids("url = \""+url+"\"\nbody = \"{}\"", ev)...)
	for _, id := range others {
		if all[id] {
			t.Errorf("the id %s is that of two messages", id)
		}
		all[id] = true
	}
	if len(all) != 6 {
		t.Errorf("got %d ids, want 6", len(all))
	}
}

func TestHeadersAndMethod(t *testing.T) {
	t.Parallel()
	url, got := receive(t, ok)
	h := newHook(t, `
		url     = "`+strings.Replace(url, "http://", "http://ann:pw@", 1)+`"
		method  = "PUT"
		headers = { "Content-Type" = "text/plain; charset=utf-8", Host = "hooks.example.com", x-token = "t" }
		body    = "{{.Name}} says \"{{.Error}}\""
	`)
	ev := hookstest.Event(1)
	ev.Error = "no"
	if _, err := output(t, h, ev); err != nil {
		t.Fatal(err)
	}
	r := got()[0]
	if r.Method != http.MethodPut || r.Host != "hooks.example.com" || r.Header.Get("X-Token") != "t" || string(r.Body) != `web says "no"` ||
		r.Header.Get("Content-Type") != "text/plain; charset=utf-8" || r.Header.Get("Authorization") != "Basic YW5uOnB3" {
		t.Errorf("got %+v with %q", r, r.Body)
	}
}

// A redirect is followed nowhere: the body and the secrets would go along.
func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	other, gotOther := receive(t, ok)
	for _, code := range []int{301, 302, 303, 307, 308} {
		url, got := receive(t, func(_ int, w http.ResponseWriter) {
			w.Header().Set("Location", other+"/services/planted-path")
			w.WriteHeader(code)
		})
		out, err := output(t, newHook(t, "url = \""+url+"/services/planted-path\"\nsecret = \""+key+"\""), hookstest.Event(1))
		if err == nil || !strings.Contains(err.Error(), fmt.Sprint(code)) || !strings.Contains(err.Error(), "to "+other+": redirects are not followed") {
			t.Errorf("%d: got %v, want it to name %s", code, err, other)
		}
		if strings.Contains(fmt.Sprint(out, err), "planted") {
			t.Errorf("%d: the path is shown: %s %v", code, out, err)
		}
		if len(got()) != 1 || len(gotOther()) != 0 {
			t.Errorf("%d: got %d requests and %d elsewhere, want 1 and none", code, len(got()), len(gotOther()))
		}
	}
}

// What is wrong with a body only for this one event is an error before anything is sent.
func TestBodyThatIsNoJSON(t *testing.T) {
	t.Parallel()
	url, got := receive(t, ok)
	h := newHook(t, "url = \""+url+"\"\nbody = \"{\\\"n\\\":\\n {{if eq .Name \\\"odd\\\"}}oops-planted{{else}}1{{end}}}\"")
	ev := hookstest.Event(1)
	ev.Name = "odd"
	_, err := output(t, h, ev)
	if want := "it is no JSON at line 2, column 2: invalid character 'o' looking for beginning of value"; err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v, want it to end with %q", err, want)
	}
	if strings.Contains(fmt.Sprint(err), "planted") || len(got()) != 0 {
		t.Errorf("got %v and %d requests, want nothing of the body shown or sent", err, len(got()))
	}
}
