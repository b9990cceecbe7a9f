package check_test

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/check"
	"github.com/dropship/dropship/hooks/hookstest"
)

// quick is for checks that fail, however they do it; soon for those whose last answer is looked at: a try that takes
// longer than the deadline has none.
const (
	quick = `
	interval = "10ms"
	deadline = "100ms"
`
	soon = `
	interval = "50ms"
	deadline = "1s"
`
)

func TestHTTPSuite(t *testing.T) {
	at := func(t *testing.T, address, timing string) hooks.Hook {
		return hookstest.New(t, check.HTTPKind(), fmt.Sprintf(`
			url     = "http://ann:planted-password@%s/health?key=planted-query"
			headers = { X-Token = "planted/token" }
		`, address)+timing)
	}
	fails := func(address func(t *testing.T) string) func(*testing.T, *slog.Logger) hooks.Hook {
		return func(t *testing.T, _ *slog.Logger) hooks.Hook { return at(t, address(t), quick) }
	}
	hookstest.Run(t, hookstest.Case{
		Kind:    "http-check",
		Secrets: []string{"planted-password", "ann:planted-password", "planted-query", "planted/token"},
		Works: func(t *testing.T, _ *slog.Logger) (hooks.Hook, func() []string) {
			address, _ := hookstest.Recording(t, "fine")
			return at(t, address, ""), nil
		},
		Hangs: func(t *testing.T, _ *slog.Logger) (hooks.Hook, <-chan struct{}) {
			address, underWay := hookstest.Hanging(t)
			return at(t, address, ""), underWay
		},
		Fails: map[string]func(*testing.T, *slog.Logger) hooks.Hook{
			"connection refused": fails(func(t *testing.T) string { return hookstest.Refusing(t) }),
			"connection cut":     fails(func(t *testing.T) string { return hookstest.Cutting(t) }),
			"internal error":     fails(func(t *testing.T) string { return hookstest.Echoing(t, http.StatusInternalServerError) }),
			"no answer": fails(func(t *testing.T) string {
				address, _ := hookstest.Hanging(t)
				return address
			}),
		},
	})
}

func TestTCPSuite(t *testing.T) {
	at := func(t *testing.T, address, timing string) hooks.Hook {
		return hookstest.New(t, check.TCPKind(), fmt.Sprintf(`address = "%s"`, address)+timing)
	}
	hookstest.Run(t, hookstest.Case{
		Kind: "tcp-check",
		Works: func(t *testing.T, _ *slog.Logger) (hooks.Hook, func() []string) {
			address, _ := hookstest.Recording(t, "")
			return at(t, address, ""), nil
		},
		Hangs: func(t *testing.T, _ *slog.Logger) (hooks.Hook, <-chan struct{}) {
			// The kernel takes connections for any program, so what hangs is one that never comes up.
			underWay := make(chan struct{}, 1)
			underWay <- struct{}{}
			return at(t, hookstest.Refusing(t), "\ninterval = \"30s\""), underWay
		},
		Fails: map[string]func(*testing.T, *slog.Logger) hooks.Hook{
			"connection refused": func(t *testing.T, _ *slog.Logger) hooks.Hook { return at(t, hookstest.Refusing(t), quick) },
		},
	})
}

func serve(t *testing.T, handler http.HandlerFunc) (url string) {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.URL
}

func answering(t *testing.T, code int, body string) (url string) {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body))
	})
}

func TestHTTPAnswers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		code       int
		body       string
		attributes string
		want       string // the last answer; empty for healthy
	}{
		{"200", 200, "", "", ""},
		{"204", 204, "", "", ""},
		{"404", 404, "", "", "404 Not Found"},
		{"503", 503, "db down\n", "", `503 Service Unavailable: "db down"`},
		{"long body", 500, strings.Repeat("x", 300), "", `500 Internal Server Error: "` + strings.Repeat("x", 200) + `…"`},
		{"the status asked for", 401, "", "status = 401", ""},
		{"another 2xx than asked for", 200, "", "status = 204", "200 OK"},
		{"contains", 200, `{"status":"ok"}`, `contains = "\"ok\""`, ""},
		{"does not contain", 200, `starting`, `contains = "ready"`, `200 OK: "starting", which does not contain "ready"`},
		{"contained in a failure", 503, `ready`, `contains = "ready"`, `503 Service Unavailable: "ready"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			url := answering(t, tt.code, tt.body)
			timing, want := "", tt.want
			if want != "" {
				timing, want = soon, "not healthy within 1s: last answer: "+want
			}
			err := hookstest.New(t, check.HTTPKind(), `url = "`+url+"\"\n"+tt.attributes+timing).Run(t.Context(), hooks.Event{})
			if got := errorText(err); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestHTTPRequest(t *testing.T) {
	t.Parallel()
	requests := make(chan *http.Request, 1)
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) { requests <- r })
	h := hookstest.New(t, check.HTTPKind(), `
		url     = "`+strings.Replace(url, "http://", "http://ann:pw@", 1)+`/health?deep=1"
		method  = "HEAD"
		headers = { Host = "app.example.com", X-Token = "t" }
	`)
	if err := h.Run(t.Context(), hooks.Event{}); err != nil {
		t.Fatal(err)
	}
	r := <-requests
	user, password, _ := r.BasicAuth()
	got := fmt.Sprint(r.Method, " ", r.Host, r.RequestURI, " ", user, ":", password, " ", r.Header.Get("X-Token"))
	if want := "HEAD app.example.com/health?deep=1 ann:pw t"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestHTTPRedirectTakesNoSecretToAnotherHost(t *testing.T) {
	t.Parallel()
	var leaked atomic.Value
	other := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		leaked.Store(r.Header.Get("X-Token") + r.Header.Get("Authorization"))
	})
	// Another name for the same machine is another host.
	other = strings.Replace(other, "127.0.0.1", "localhost", 1)
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" {
			http.Redirect(w, r, "/moved", http.StatusFound)
			return
		}
		if r.Header.Get("X-Token") != "t" {
			t.Error("a redirect on the same host lost the header")
		}
		http.Redirect(w, r, other, http.StatusFound)
	})
	h := hookstest.New(t, check.HTTPKind(), `
		url     = "`+strings.Replace(url, "http://", "http://ann:pw@", 1)+`/health"
		headers = { X-Token = "t" }
	`)
	if err := h.Run(t.Context(), hooks.Event{}); err != nil {
		t.Fatal(err)
	}
	if got := leaked.Load(); got != "" {
		t.Errorf("the other host got %q", got)
	}
}

// An application that needs a moment: connections are refused until it listens.
func TestTCPWaitsForTheApplication(t *testing.T) {
	t.Parallel()
	address := hookstest.Refusing(t)
	h := hookstest.New(t, check.TCPKind(), `address = "`+address+`"`+"\n"+`interval = "20ms"`+"\n"+`successes = 2`)
	done := make(chan error, 1)
	go func() { done <- h.Run(t.Context(), hooks.Event{}) }()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestTCPRefused(t *testing.T) {
	t.Parallel()
	address := hookstest.Refusing(t)
	err := hookstest.New(t, check.TCPKind(), `address = "`+address+`"`+soon).Run(t.Context(), hooks.Event{})
	if got, want := errorText(err), "not healthy within 1s: last answer: dial tcp "+address+": connect: connection refused"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
