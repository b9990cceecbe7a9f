package hookstest

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/dropship/dropship/test/servers"
)

// Recording starts a server that answers 200 and answer to everything, and returns its address and a
// function that returns what it got: method, URI and body of each request.
func Recording(t testing.TB, answer string) (address string, got func() []string) {
	t.Helper()
	var mu sync.Mutex
	var all []string
	address = serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("cannot read the request: %v", err)
		}
		mu.Lock()
		all = append(all, fmt.Sprintf("%s %s %s", r.Method, r.RequestURI, body))
		mu.Unlock()
		_, _ = io.WriteString(w, answer)
	})
	return address, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), all...)
	}
}

// Hanging starts a server that takes requests and never answers, and returns its address and a channel
// that says that a request has come.
func Hanging(t testing.TB) (address string, underWay <-chan struct{}) {
	t.Helper()
	came := make(chan struct{}, 1)
	return serve(t, func(_ http.ResponseWriter, r *http.Request) {
		// Only a server that has read the body notices that the client went away.
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case came <- struct{}{}:
		default:
		}
		<-r.Context().Done()
	}), came
}

// Echoing starts a server that answers status to everything, with all of the request in the body, as
// debug pages do: with its credentials.
func Echoing(t testing.TB, status int) (address string) {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		for _, key := range slices.Sorted(maps.Keys(r.Header)) {
			for _, v := range r.Header[key] {
				_, _ = fmt.Fprintf(w, "%s=%s ", key, v)
			}
		}
		_, _ = fmt.Fprint(w, r.RequestURI)
	})
}

// Answering starts a server that answers status and body to everything.
func Answering(t testing.TB, status int, body string) (address string) {
	t.Helper()
	return serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

// Cutting starts a server that closes every connection after the request came, without an answer.
func Cutting(t testing.TB) (address string) {
	t.Helper()
	return serve(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
}

// Refusing returns an address where nobody listens.
func Refusing(t testing.TB) (address string) { return servers.Reserve(t) }

func serve(t testing.TB, handler http.HandlerFunc) (address string) {
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}
