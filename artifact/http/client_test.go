package http_test

import (
	"encoding/pem"
	"fmt"
	"io"
	"log"
	nethttp "net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// bearing returns what the request has of credentials, for logs of handlers.
func bearing(r *nethttp.Request) string {
	return fmt.Sprintf("Authorization=%q X-Api-Key=%q", r.Header.Get("Authorization"), r.Header.Get("X-Api-Key"))
}

func TestHeadersAreSent(t *testing.T) {
	t.Parallel()
	f := newFolder(t, ".md5")
	f.publish(t, "a", []byte("content"))
	server := serve(t, func(w nethttp.ResponseWriter, r *nethttp.Request) {
		if r.Header.Get("X-Api-Key") != "t0ken" || r.Header.Get("Authorization") != "Bearer b3arer" {
			w.WriteHeader(nethttp.StatusForbidden)
			return
		}
		f.plain().ServeHTTP(w, r)
	})
	src := sourceOf(t, repoAt(server.URL, `headers = { x-api-key = "t0ken", Authorization = "Bearer b3arer" }`), "a")
	info := stat(t, src)
	if got, err := read(t, src, info, 0); err != nil || got != "content" {
		t.Errorf("got %q and error %v, want the content", got, err)
	}
	if sums, err := src.Checksums(t.Context(), info); err != nil || len(sums) != 1 {
		t.Errorf("got the checksums %v and error %v, want the sidecar's", sums, err)
	}

	src = sourceOf(t, repoAt(server.URL, `headers = { x-api-key = "wr0ng" }`), "a")
	if _, err := src.Stat(t.Context()); err == nil || strings.Contains(err.Error(), "wr0ng") {
		t.Errorf("got error %v, want one without the value of a header", err)
	}
}

func TestCredentialsStayAtTheirHost(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "")
	f.publish(t, "a", []byte("content"))
	var leaked []string
	elsewhere := serve(t, func(w nethttp.ResponseWriter, r *nethttp.Request) {
		if r.Header.Get("Authorization") != "" || r.Header.Get("X-Api-Key") != "" {
			leaked = append(leaked, bearing(r))
		}
		f.strong().ServeHTTP(w, r)
	})
	here := serve(t, withPassword(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		if r.Header.Get("X-Api-Key") != "t0ken" {
			t.Errorf("%s came with %s", r.URL.Path, bearing(r))
		}
		switch {
		case strings.HasPrefix(r.URL.Path, "/elsewhere"):
			nethttp.Redirect(w, r, elsewhere.URL+strings.TrimPrefix(r.URL.Path, "/elsewhere"), nethttp.StatusFound)
		case strings.HasPrefix(r.URL.Path, "/moved"):
			nethttp.Redirect(w, r, strings.TrimPrefix(r.URL.Path, "/moved"), nethttp.StatusMovedPermanently)
		default:
			f.strong().ServeHTTP(w, r)
		}
	})).ServeHTTP)
	for _, path := range []string{"a", "moved/a", "elsewhere/a", "moved/elsewhere/a"} {
		src := sourceOf(t, repoAt(here.URL, credentials(password), `headers = { X-Api-Key = "t0ken" }`), path)
		info := stat(t, src)
		for _, offset := range []int64{0, 3} {
			if got, err := read(t, src, info, offset); err != nil || got != "content"[offset:] {
				t.Errorf("%s at %d: got %q and error %v, want the content", path, offset, got, err)
			}
		}
	}
	if len(leaked) > 0 {
		t.Errorf("the other host got %v", leaked)
	}
}

func TestRedirectsThatAreRefused(t *testing.T) {
	t.Parallel()
	plain := serve(t, func(_ nethttp.ResponseWriter, r *nethttp.Request) {
		t.Errorf("%s came without TLS", r.URL.Path)
	})
	secure := httptest.NewTLSServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		if r.URL.Path == "/loop" {
			nethttp.Redirect(w, r, "/loop?sig=s3cr3t", nethttp.StatusFound)
			return
		}
		nethttp.Redirect(w, r, plain.URL+"/a?sig=s3cr3t", nethttp.StatusFound)
	}))
	t.Cleanup(secure.Close)
	for path, want := range map[string]string{"downgrade": "redirects from https to " + plain.URL, "loop": "redirects more than 10 times"} {
		src := sourceOf(t, repoAt(secure.URL, fmt.Sprintf("caFile = %q", caFile(t, secure))), path)
		_, err := src.Stat(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: got error %v, want one with %q and no query", path, err, want)
		}
	}
}

// caFile writes the certificate of the server to a file.
func caFile(t *testing.T, s *httptest.Server) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCAFile(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "")
	f.publish(t, "a", []byte("content"))
	server := httptest.NewUnstartedServer(f.strong())
	server.EnableHTTP2 = true
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of the client that does not trust it
	server.StartTLS()
	t.Cleanup(server.Close)

	ca := caFile(t, server)
	src := sourceOf(t, repoAt(server.URL, fmt.Sprintf("caFile = %q", ca)), "a")
	if got, err := read(t, src, stat(t, src), 0); err != nil || got != "content" {
		t.Errorf("got %q and error %v, want the content", got, err)
	}

	notPEM := filepath.Join(t.TempDir(), "not.pem")
	if err := os.WriteFile(notPEM, []byte("hello"), 0o644); err != nil {
		t.Fatal(err)
	}
	later := filepath.Join(t.TempDir(), "later.pem")
	for more, want := range map[string]string{
		"":                                   "certificate",
		fmt.Sprintf("caFile = %q", notPEM):   "no certificate in PEM form",
		fmt.Sprintf("caFile = %q", later):    "cannot read caFile",
		fmt.Sprintf("caFile = %q", ca+"/no"): "cannot read caFile",
	} {
		src := sourceOf(t, repoAt(server.URL, more), "a")
		if _, err := src.Stat(t.Context()); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), src.String()) {
			t.Errorf("%s: got error %v, want one with %q", more, err, want)
		}
	}

	// A file that comes later is used without a restart.
	src = sourceOf(t, repoAt(server.URL, fmt.Sprintf("caFile = %q", later)), "a")
	if _, err := src.Stat(t.Context()); err == nil {
		t.Error("got no error without the file")
	}
	if err := os.Rename(ca, later); err != nil {
		t.Fatal(err)
	}
	stat(t, src)
}

func TestConnectionIsReused(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "")
	f.publish(t, "a", []byte("content"))
	remotes := map[string]bool{}
	server := serve(t, func(w nethttp.ResponseWriter, r *nethttp.Request) {
		remotes[r.RemoteAddr] = true
		f.strong().ServeHTTP(w, r)
	})
	src := sourceOf(t, repoAt(server.URL), "a")
	for range 5 {
		info := stat(t, src)
		if _, err := src.Checksums(t.Context(), info); err != nil { // asks for sidecars that are not there
			t.Fatal(err)
		}
	}
	// net/http gives up a connection whose writer was held up for 50ms.
	if len(remotes) > 2 {
		t.Errorf("got %d connections, want 1", len(remotes))
	}
}
