package http_test

import (
	"context"
	"errors"
	"fmt"
	nethttp "net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/http"
	"github.com/dropship/dropship/test/faultproxy"
)

// seen notes "METHOD If-None-Match -> status" of every request to h.
type seen struct {
	mu    sync.Mutex
	lines []string
}

func (s *seen) watch(h nethttp.Handler) nethttp.HandlerFunc {
	return func(w nethttp.ResponseWriter, r *nethttp.Request) {
		noted := &statusWriter{ResponseWriter: w, status: nethttp.StatusOK}
		h.ServeHTTP(noted, r)
		s.mu.Lock()
		defer s.mu.Unlock()
		condition := ""
		if r.Header.Get("If-None-Match") != "" || r.Header.Get("If-Modified-Since") != "" {
			condition = " conditional"
		}
		s.lines = append(s.lines, fmt.Sprintf("%s%s %d", r.Method, condition, noted.status))
	}
}

func (s *seen) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	lines := s.lines
	s.lines = nil
	return lines
}

type statusWriter struct {
	nethttp.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func TestCheckIsOneRequest(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		handler func(*folder) nethttp.Handler
		want    []string // of four checks; the third is after a change
	}{
		{"strong ETag", (*folder).strong, []string{"HEAD 200", "HEAD conditional 304", "HEAD conditional 200", "HEAD conditional 304"}},
		{"only Last-Modified", (*folder).plain, []string{"HEAD 200", "HEAD 200", "HEAD 200", "HEAD 200"}},
		{
			"no HEAD", func(f *folder) nethttp.Handler { return withoutHead(f.strong()) },
			[]string{"HEAD 405", "GET 200", "GET conditional 304", "GET conditional 200", "GET conditional 304"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFolder(t, "")
			f.publish(t, "a.tar.gz", []byte("first"))
			var log seen
			src := sourceOf(t, repoAt(serve(t, log.watch(tt.handler(f))).URL), "a.tar.gz")
			first, again := stat(t, src), stat(t, src)
			f.publish(t, "a.tar.gz", []byte("other"))
			changed := stat(t, src)
			if last := stat(t, src); !cmp.Equal(first, again) || !cmp.Equal(changed, last) || first.Revision == changed.Revision {
				t.Errorf("got %+v, %+v, and after a change %+v, %+v", first, again, changed, last)
			}
			if diff := cmp.Diff(tt.want, log.take()); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

// Who takes a version back puts an older file in place. A server that compares times would say that
// nothing is new since.
func TestOlderFileIsNoticed(t *testing.T) {
	t.Parallel()
	for name, handler := range map[string]func(*folder) nethttp.Handler{"only Last-Modified": (*folder).plain, "weak ETag": (*folder).weak} {
		f := newFolder(t, "")
		f.publish(t, "a.tar.gz", []byte("version 2"))
		src := sourceOf(t, repoAt(serve(t, handler(f).ServeHTTP).URL), "a.tar.gz")
		newer := stat(t, src)
		f.put(t, "a.tar.gz", []byte("version 1"), newer.ModTime.Add(-time.Hour))
		if older := stat(t, src); older.Revision == newer.Revision {
			t.Errorf("%s: the revision is still %q", name, newer.Revision)
		}
		if _, err := src.Open(t.Context(), newer, 0, -1); !errors.Is(err, artifact.ErrChanged) {
			t.Errorf("%s: open of the newer one: got error %v, want ErrChanged", name, err)
		}
	}
}

// An ETag may look like an md5 and be none.
func TestETagIsNoMD5(t *testing.T) {
	t.Parallel()
	server := serve(t, func(w nethttp.ResponseWriter, _ *nethttp.Request) {
		w.Header().Set("ETag", `"5eb63bbbe01eeed093cb22bb8f5acdc3"`)
	})
	src := sourceOf(t, repoAt(server.URL), "a")
	if info := stat(t, src); info.MD5 != "" {
		t.Errorf("got the md5 %q, want none", info.MD5)
	}
}

func TestAnswersToACheck(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		answer nethttp.HandlerFunc
		want   string // in the error
		is     error
	}{
		{"404", status(nethttp.StatusNotFound), "does not exist", artifact.ErrNotExist},
		{"410", status(nethttp.StatusGone), "does not exist", artifact.ErrNotExist},
		{"401", status(nethttp.StatusUnauthorized), "access denied, check user, password and headers", nil},
		{"403", status(nethttp.StatusForbidden), "access denied, check user, password and headers", nil},
		{"304 unasked", status(nethttp.StatusNotModified), "304 Not Modified", nil},
		{"503", func(w nethttp.ResponseWriter, _ *nethttp.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(nethttp.StatusServiceUnavailable)
		}, "left alone for 7s", nil},
		{"no validator", status(nethttp.StatusOK), "neither ETag nor Last-Modified", nil},
		{"gzip", func(w nethttp.ResponseWriter, _ *nethttp.Request) {
			w.Header().Set("ETag", `"1"`)
			w.Header().Set("Content-Encoding", "gzip")
		}, `Content-Encoding "gzip"`, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := serve(t, tt.answer)
			src := sourceOf(t, repoAt(server.URL), "a b.tar.gz")
			_, err := src.Stat(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), src.String()) {
				t.Errorf("got error %v, want one with %q and %s", err, tt.want, src)
			}
			if errors.Is(err, artifact.ErrNotExist) != (tt.is == artifact.ErrNotExist) { //nolint:errorlint // a table's value
				t.Errorf("got error %v, want %v", err, tt.is)
			}
		})
	}
}

func TestStatusError(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]time.Duration{"90": 90 * time.Second, "": 0, "soon": 0, "-1": 0, "Mon, 02 Jan 2006 15:04:05 GMT": 0} {
		server := serve(t, func(w nethttp.ResponseWriter, _ *nethttp.Request) {
			w.Header().Set("Retry-After", value)
			w.WriteHeader(nethttp.StatusTooManyRequests)
		})
		_, err := sourceOf(t, repoAt(server.URL), "a").Stat(t.Context())
		var after time.Duration
		if busy, ok := errors.AsType[*artifact.BusyError](err); ok {
			after = busy.After
		}
		if got, ok := errors.AsType[*http.StatusError](err); !ok || got.Status != nethttp.StatusTooManyRequests || after != want {
			t.Errorf("Retry-After %q: got error %v and %s, want status 429 and %s", value, err, after, want)
		}
	}
	at := time.Now().Add(time.Hour).UTC()
	server := serve(t, func(w nethttp.ResponseWriter, _ *nethttp.Request) {
		w.Header().Set("Retry-After", at.Format(nethttp.TimeFormat))
		w.WriteHeader(nethttp.StatusServiceUnavailable)
	})
	_, err := sourceOf(t, repoAt(server.URL), "a").Stat(t.Context())
	if got, ok := errors.AsType[*artifact.BusyError](err); !ok || got.After < 59*time.Minute || got.After > time.Hour {
		t.Errorf("a date in an hour: got error %#v", got)
	}
}

// A context that ended for a reason of its owner's is still one that ended.
func TestCancelledWithCause(t *testing.T) {
	t.Parallel()
	f := newFolder(t, ".md5")
	f.publish(t, "a", []byte("content"))
	src := sourceOf(t, repoAt(serve(t, f.plain().ServeHTTP).URL), "a")
	info := stat(t, src)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("shutting down"))
	_, statErr := src.Stat(ctx)
	_, openErr := src.Open(ctx, info, 0, -1)
	_, sumsErr := src.Checksums(ctx, info)
	for _, err := range []error{statErr, openErr, sumsErr} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got error %v, want context.Canceled", err)
		}
	}
}

// The path arrives at the server as it was written, and so does that of the url.
func TestEscaping(t *testing.T) {
	t.Parallel()
	var uris []string
	var mu sync.Mutex
	server := serve(t, func(w nethttp.ResponseWriter, r *nethttp.Request) {
		mu.Lock()
		defer mu.Unlock()
		uris = append(uris, r.RequestURI)
		w.Header().Set("ETag", `"1"`)
	})
	for _, tt := range []struct{ base, path, want string }{
		{"", "a.tar.gz", "/a.tar.gz"},
		{"/", "/a.tar.gz", "/a.tar.gz"},
		{"/base/", "dir/a.tar.gz", "/base/dir/a.tar.gz"},
		{"/b%2Fc", "a b+c%20ü?#.gz", "/b%2Fc/a%20b%2Bc%2520%C3%BC%3F%23.gz"},
	} {
		stat(t, sourceOf(t, repoAt(server.URL+tt.base), tt.path))
		mu.Lock()
		if got := uris[len(uris)-1]; got != tt.want {
			t.Errorf("url %q, path %q: got the request %q, want %q", tt.base, tt.path, got, tt.want)
		}
		mu.Unlock()
	}
	src := sourceOf(t, repoAt("https://artifacts.example.com/base"), "dir/my service+1.tar.gz")
	if got, want := src.String(), "https://artifacts.example.com/base/dir/my service+1.tar.gz"; got != want {
		t.Errorf("got the name %q, want %q", got, want)
	}
}

func TestInfo(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "")
	f.publish(t, "a", []byte("content"))
	at, err := os.Stat(filepath.Join(f.dir, "a"))
	if err != nil {
		t.Fatal(err)
	}
	info := stat(t, sourceOf(t, repoAt(serve(t, f.plain().ServeHTTP).URL), "a"))
	if !info.ModTime.Equal(at.ModTime()) || info.Size != 7 {
		t.Errorf("got %+v, want the time %s and 7 bytes", info, at.ModTime())
	}
}

// A check of a server without HEAD must not take in the artifact each time.
func TestCheckByGetReadsNoBody(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "")
	f.publish(t, "a", slices.Repeat([]byte("0123456789abcdef"), 1<<20)) // more than all buffers on the way
	server := serve(t, withoutHead(f.plain()).ServeHTTP)
	p := faultproxy.Start(t, server.URL)
	src := sourceOf(t, repoAt(p.URL), "a")
	stat(t, src)
	p.Break(1, faultproxy.Stall(0), nil)
	stat(t, src) // returns, though the body never comes
}
