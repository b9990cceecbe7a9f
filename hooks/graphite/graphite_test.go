package graphite_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/graphite"
	"github.com/dropship/dropship/hooks/hookstest"
)

const attributes = `
	what = "deployed {{.Name}} on {{.Hostname}}"
	data = "{{.Hash}}"
	tags = "deployment"
`

func newHook(t *testing.T, source string) hooks.Hook {
	t.Helper()
	return hookstest.New(t, graphite.Kind(), source)
}

func TestSuite(t *testing.T) {
	at := func(t *testing.T, address string) hooks.Hook {
		return newHook(t, attributes+fmt.Sprintf(`
			host     = "http://planted-user:planted-inner@%s/graphite"
			user     = "ann"
			password = "planted/password"
		`, address))
	}
	fails := func(address func(t *testing.T) string) func(*testing.T, *slog.Logger) hooks.Hook {
		return func(t *testing.T, _ *slog.Logger) hooks.Hook { return at(t, address(t)) }
	}
	hookstest.Run(t, hookstest.Case{
		Kind:    "graphite-event",
		Secrets: []string{"planted/password", "planted-inner", "ann:planted/password"},
		Works: func(t *testing.T, _ *slog.Logger) (hooks.Hook, func() []string) {
			address, got := hookstest.Recording(t, "")
			return at(t, address), got
		},
		Hangs: func(t *testing.T, _ *slog.Logger) (hooks.Hook, <-chan struct{}) {
			address, underWay := hookstest.Hanging(t)
			return at(t, address), underWay
		},
		Fails: map[string]func(*testing.T, *slog.Logger) hooks.Hook{
			"connection refused": fails(func(t *testing.T) string { return hookstest.Refusing(t) }),
			"connection cut":     fails(func(t *testing.T) string { return hookstest.Cutting(t) }),
			"internal error":     fails(func(t *testing.T) string { return hookstest.Echoing(t, http.StatusInternalServerError) }),
			"unavailable":        fails(func(t *testing.T) string { return hookstest.Echoing(t, http.StatusServiceUnavailable) }),
			"forbidden":          fails(func(t *testing.T) string { return hookstest.Echoing(t, http.StatusForbidden) }),
		},
	})
}

// posted is a server that answers each request by answer, which gets its number, from 1, and body.
type posted struct {
	mu     sync.Mutex
	bodies []map[string]any
	auth   string
}

func serve(t *testing.T, answer func(n int, body map[string]any, w http.ResponseWriter)) (url string, p *posted) {
	t.Helper()
	p = &posted{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("cannot read the request: %v", err)
		}
		var body map[string]any
		if err := json.Unmarshal(b, &body); err != nil {
			t.Errorf("the body %q is no JSON: %v", b, err)
		}
		if got, want := r.Method+" "+r.URL.Path, "POST /events/"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		p.mu.Lock()
		p.bodies = append(p.bodies, body)
		p.auth, _, _ = r.BasicAuth()
		n := len(p.bodies)
		p.mu.Unlock()
		answer(n, body, w)
	}))
	t.Cleanup(s.Close)
	return s.URL, p
}

// list returns what has come so far.
func (p *posted) list() []map[string]any {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]map[string]any(nil), p.bodies...)
}

func status(codes ...int) func(int, map[string]any, http.ResponseWriter) {
	return func(n int, _ map[string]any, w http.ResponseWriter) {
		w.WriteHeader(codes[min(n, len(codes))-1])
		_, _ = io.WriteString(w, "said the server")
	}
}

func TestEvent(t *testing.T) {
	t.Parallel()
	url, got := serve(t, status(200))
	before := time.Now().Unix()
	if err := newHook(t, attributes+`host = "`+url+`"`+"\n"+`user = "ann"`).Run(t.Context(), hookstest.Event(1)); err != nil {
		t.Fatal(err)
	}
	body := got.list()[0]
	when := int64(body["when"].(float64))
	if when < before || when > time.Now().Unix() {
		t.Errorf("when is %d, want now, in seconds: %d", when, before)
	}
	delete(body, "when")
	want := map[string]any{
		"what": "deployed web on host-1", "data": hookstest.Event(1).Hash, "tags": []any{"deployment", "web"},
	}
	if diff := cmp.Diff(want, body); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	got.mu.Lock()
	defer got.mu.Unlock()
	if got.auth != "ann" {
		t.Errorf("user is %q, want ann", got.auth)
	}
}

func TestTags(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, tags string
		want       []any
	}{
		{"none", ``, []any{"web"}},
		{"empty", `tags = " , "`, []any{"web"}},
		{"null", `tags = null`, []any{"web"}},
		{"spaces and commas", `tags = "a, b c,d"`, []any{"a", "b", "c", "d", "web"}},
		{"the service's name already", `tags = "web deploy web"`, []any{"web", "deploy"}},
		{"templates in a string", `tags = "on:{{.Hostname}} {{.Status}}"`, []any{"on:host-1", "update", "web"}},
		{"a list", `tags = ["a b", "{{.Name}}", "c,d", "", upper("e")]`, []any{"a_b", "web", "c,d", "E"}},
		{"an empty list", `tags = []`, []any{"web"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			url, got := serve(t, status(200))
			h := newHook(t, "what = \"x\"\nhost = \""+url+"/\"\n"+tt.tags)
			if err := h.Run(t.Context(), hookstest.Event(1)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got.list()[0]["tags"]); diff != "" {
				t.Errorf("tags (-want +got):\n%s", diff)
			}
		})
	}
}

// An old Graphite writes the tags into a database column and fails on a list.
func TestOldGraphiteGetsTagsAsAString(t *testing.T) {
	t.Parallel()
	for _, code := range []int{400, 422, 500} {
		events := make(chan any, 8)
		url, got := serve(t, func(_ int, body map[string]any, w http.ResponseWriter) {
			tags, ok := body["tags"].(string)
			if !ok {
				w.WriteHeader(code)
				return
			}
			events <- tags
		})
		h := newHook(t, attributes+`host = "`+url+`"`)
		for n := 1; n <= 2; n++ {
			if err := h.Run(t.Context(), hookstest.Event(n)); err != nil {
				t.Errorf("%d: %v", code, err)
			}
		}
		if len(events) != 2 {
			t.Fatalf("%d: got %d events, want 2", code, len(events))
		}
		for range 2 {
			if got, want := <-events, "deployment web"; got != want {
				t.Errorf("%d: got the tags %q, want %q", code, got, want)
			}
		}
		if len(got.list()) != 4 {
			t.Errorf("%d: got %d requests, want 4", code, len(got.list()))
		}
	}
}

func TestAttempts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		codes    []int
		requests int
		err      string
	}{
		{"busy, then taken", []int{503, 429, 200}, 3, ""},
		{"busy for too long", []int{503}, 3, `503 Service Unavailable: "said the server"`},
		{"refused", []int{403}, 1, `403 Forbidden: "said the server"`},
		{"bad gateway, perhaps taken", []int{502}, 1, `502 Bad Gateway: "said the server"`},
		{"broken in both forms", []int{500}, 2, `500 Internal Server Error: "said the server"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			url, got := serve(t, status(tt.codes...))
			err := newHook(t, attributes+`host = "`+url+`"`).Run(t.Context(), hookstest.Event(1))
			want := ""
			if tt.err != "" {
				want = "cannot post an event to " + url + "/events/: " + tt.err
			}
			if msg := errorText(err); msg != want {
				t.Errorf("got %q, want %q", msg, want)
			}
			if len(got.list()) != tt.requests {
				t.Errorf("got %d requests, want %d", len(got.list()), tt.requests)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// A server that is being restarted refuses connections for a moment.
func TestRefusedConnectionIsTriedAgain(t *testing.T) {
	t.Parallel()
	address := hookstest.Refusing(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	start := time.Now()
	err := newHook(t, attributes+`host = "http://`+address+`"`).Run(ctx, hookstest.Event(1))
	if err == nil || !strings.HasSuffix(err.Error(), "connect: connection refused") {
		t.Errorf("got %v, want a refused connection", err)
	}
	if took, want := time.Since(start), 1500*time.Millisecond; took < want {
		t.Errorf("gave up after %s, want the waits of two more attempts, %s", took, want)
	}
}

// Where the event may have been taken it is not sent again.
func TestLostAnswerIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		lose func(w http.ResponseWriter)
		want error
	}{
		{"closed", func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, io.EOF},
		{"reset", reset, syscall.ECONNRESET},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			url, got := serve(t, func(_ int, _ map[string]any, w http.ResponseWriter) { tt.lose(w) })
			err := newHook(t, attributes+`host = "`+url+`"`).Run(t.Context(), hookstest.Event(1))
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if len(got.list()) != 1 {
				t.Errorf("got %d requests, want 1", len(got.list()))
			}
		})
	}
}

// reset ends the connection as a crashed machine or a firewall does.
func reset(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.Close()
}

func TestRedirectIsAnError(t *testing.T) {
	t.Parallel()
	url, got := serve(t, func(_ int, _ map[string]any, w http.ResponseWriter) {
		w.Header().Set("Location", "https://u:p@graphite.example.com/events/?key=x")
		w.WriteHeader(http.StatusMovedPermanently)
	})
	err := newHook(t, attributes+`host = "`+url+`"`).Run(t.Context(), hookstest.Event(1))
	const want = "301 Moved Permanently to https://(redacted)@graphite.example.com/events/?(redacted): give that address as host"
	if err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v, want it to end with %q", err, want)
	}
	if len(got.list()) != 1 {
		t.Errorf("got %d requests, want 1", len(got.list()))
	}
}
