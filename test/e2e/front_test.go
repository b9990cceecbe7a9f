package e2e

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// A front is what Dropship takes for a server: it writes down every request, and passes it on or goes wrong.
type front struct {
	*httptest.Server

	next      http.Handler
	elsewhere string // another host, to redirect to

	mu   sync.Mutex
	mode mode
	seen strings.Builder
}

// A mode is how a front answers.
type mode string

const (
	passes    mode = "passes"
	refuses   mode = "refuses"   // 403, and says what it was asked, as debug pages do
	breaks    mode = "breaks"    // 503, and says what it was asked
	echoes    mode = "echoes"    // 200, and says what it was asked
	cuts      mode = "cuts"      // no answer
	redirects mode = "redirects" // 307 to another host
)

func newFront(t *testing.T, elsewhere string, next http.Handler) *front {
	t.Helper()
	f := &front{next: next, elsewhere: elsewhere, mode: passes}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

// before is a handler that asks the real server.
func before(t *testing.T, server string) http.Handler {
	t.Helper()
	to, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	// The host stays the one that was asked for: S3 requests are signed for it.
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host
		},
		ErrorLog: log.New(io.Discard, "", 0), // requests that are given up are what is tested
	}
}

func (f *front) set(m mode) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.mode = m
}

// asked is every request so far, as it came.
func (f *front) asked() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen.String()
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	dump, err := httputil.DumpRequest(r, true)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	f.mu.Lock()
	f.seen.Write(dump)
	now := f.mode
	f.mu.Unlock()
	switch now {
	case refuses:
		http.Error(w, string(dump), http.StatusForbidden)
	case breaks:
		http.Error(w, string(dump), http.StatusServiceUnavailable)
	case echoes:
		w.Header().Set("Etag", `"1"`)
		_, _ = w.Write(dump)
	case cuts:
		panic(http.ErrAbortHandler)
	case redirects:
		http.Redirect(w, r, f.elsewhere+r.URL.Path, http.StatusTemporaryRedirect)
	default:
		f.next.ServeHTTP(w, r)
	}
}

// swiftStore is one object in a Swift with v1 authentication, for who knows the key.
func swiftStore(key, token string, content func() []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/auth") && r.Header.Get("X-Auth-Key") == key:
			w.Header().Set("X-Storage-Url", "http://"+r.Host+"/v1/AUTH_test")
			w.Header().Set("X-Auth-Token", token)
		case r.Header.Get("X-Auth-Token") == token:
			w.Header().Set("Etag", md5Hex(content()))
			w.Header().Set("Content-Length", fmt.Sprint(len(content())))
			_, _ = w.Write(content())
		default:
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
}

// webStore is one file on a web server, for who knows the password and the header.
func webStore(password, key string, content func() []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, got, _ := r.BasicAuth()
		switch {
		case got != password || r.Header.Get("X-Api-Key") != key:
			w.WriteHeader(http.StatusUnauthorized)
		case strings.HasSuffix(r.URL.Path, ".gz"):
			w.Header().Set("Etag", `"`+md5Hex(content())+`"`)
			_, _ = w.Write(content())
		case strings.HasSuffix(r.URL.Path, ".md5"):
			fmt.Fprintln(w, md5Hex(content()))
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	})
}
