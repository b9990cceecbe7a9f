package http_test

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	nethttp "net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/artifacttest"
	"github.com/dropship/dropship/artifact/http"
)

func body(t testing.TB, src string) hcl.Body {
	t.Helper()
	f, diags := hclsyntax.ParseConfig([]byte(src), "test.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return f.Body
}

// sourceOf returns the source of path in the repository that the attributes in repo describe.
func sourceOf(t testing.TB, repo, path string) artifact.Source {
	t.Helper()
	r, diags := http.New(body(t, repo), nil)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	s, diags := r.Source(body(t, fmt.Sprintf("path = %q", path)), nil)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return s
}

func repoAt(url string, more ...string) string {
	return fmt.Sprintf("url = %q\n%s\n", url, strings.Join(more, "\n"))
}

// serve starts a web server that ends with the test.
func serve(t testing.TB, h nethttp.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// status answers with code and nothing else.
func status(code int) nethttp.HandlerFunc {
	return func(w nethttp.ResponseWriter, _ *nethttp.Request) { w.WriteHeader(code) }
}

func stat(t testing.TB, src artifact.Source) artifact.Info {
	t.Helper()
	info, err := src.Stat(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// read returns all bytes from offset.
func read(t testing.TB, src artifact.Source, info artifact.Info, offset int64) (string, error) {
	t.Helper()
	r, err := src.Open(t.Context(), info, offset, -1)
	if err != nil {
		return "", err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	return string(b), err
}

// A folder is what is published on a web server.
type folder struct {
	dir     string
	sidecar string // the suffix of the files with checksums; empty: none are made

	mu   sync.Mutex
	time time.Time // of the file published last
}

func newFolder(t testing.TB, sidecar string) *folder {
	return &folder{dir: t.TempDir(), sidecar: sidecar, time: time.Now().Add(-24 * time.Hour).Truncate(time.Second)}
}

func (f *folder) publish(t testing.TB, name string, content []byte) {
	t.Helper()
	// Last-Modified has seconds, and no more is known to those who have nothing else.
	f.mu.Lock()
	f.time = f.time.Add(time.Second)
	at := f.time
	f.mu.Unlock()
	switch f.sidecar {
	case ".sha256":
		f.put(t, name+f.sidecar, fmt.Appendf(nil, "%x  %s\n", sha256.Sum256(content), filepath.Base(name)), at)
	case ".md5":
		f.put(t, name+f.sidecar, fmt.Appendf(nil, "%x\n", md5.Sum(content)), at)
	}
	f.put(t, name, content, at)
}

// swap is what a publisher does who keeps the time of a file, or is faster than a second.
func (f *folder) swap(t testing.TB, name string, content []byte) {
	t.Helper()
	old, err := os.Stat(filepath.Join(f.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	f.put(t, name, content, old.ModTime())
}

func (f *folder) put(t testing.TB, name string, content []byte, at time.Time) {
	t.Helper()
	path := filepath.Join(f.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".part", content, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path+".part", at, at); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".part", path); err != nil {
		t.Fatal(err)
	}
}

func (f *folder) remove(t testing.TB, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(f.dir, name)); err != nil {
		t.Fatal(err)
	}
}

func (f *folder) content(r *nethttp.Request) ([]byte, error) {
	return os.ReadFile(filepath.Join(f.dir, filepath.FromSlash(r.URL.Path)))
}

// plain is Go's file server: Last-Modified, ranges, conditions, and no ETag.
func (f *folder) plain() nethttp.Handler { return nethttp.FileServer(nethttp.Dir(f.dir)) }

// strong adds an ETag, and what RFC 9530 says about checksums.
func (f *folder) strong() nethttp.Handler {
	return nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		if b, err := f.content(r); err == nil {
			sum := sha256.Sum256(b)
			w.Header().Set("ETag", fmt.Sprintf(`"%x"`, sum[:8]))
			w.Header().Set("Repr-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(sum[:])+":")
		}
		f.plain().ServeHTTP(w, r)
	})
}

// weak adds an ETag that does not promise equal bytes.
func (f *folder) weak() nethttp.Handler {
	return nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		if b, err := f.content(r); err == nil {
			w.Header().Set("ETag", fmt.Sprintf(`W/"%d"`, len(b)))
		}
		f.plain().ServeHTTP(w, r)
	})
}

// simple sends the whole file, whatever the conditions and the range of the request are.
func (f *folder) simple() nethttp.Handler {
	return nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		for name := range r.Header {
			if name == "Range" || strings.HasPrefix(name, "If-") {
				r.Header.Del(name)
			}
		}
		f.strong().ServeHTTP(w, r)
	})
}

func withoutHead(h nethttp.Handler) nethttp.Handler {
	return nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		if r.Method == nethttp.MethodHead {
			w.WriteHeader(nethttp.StatusMethodNotAllowed)
			return
		}
		h.ServeHTTP(w, r)
	})
}

const (
	user     = "deploy"
	password = "pa55-w0rd"
)

func withPassword(h nethttp.Handler) nethttp.Handler {
	return nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		if u, p, _ := r.BasicAuth(); u != user || p != password {
			w.WriteHeader(nethttp.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	})
}

func credentials(password string) string {
	return fmt.Sprintf("user = %q\npassword = %q", user, password)
}

func TestSuite(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, sidecar string
		handler       func(*folder) nethttp.Handler
		weak, noParts bool
	}{
		{"strong ETag", "", (*folder).strong, false, false},
		{"weak ETag", ".md5", (*folder).weak, true, false},
		{"only Last-Modified", ".sha256", (*folder).plain, true, false},
		{"no HEAD", ".md5", func(f *folder) nethttp.Handler { return withoutHead(f.strong()) }, false, false},
		{"no HEAD and no ETag", ".md5", func(f *folder) nethttp.Handler { return withoutHead(f.plain()) }, true, false},
		{"no ranges and conditions", "", (*folder).simple, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFolder(t, tt.sidecar)
			server := httptest.NewServer(withPassword(tt.handler(f)))
			// The suite's tests are parallel, so they go on after this function.
			t.Cleanup(server.Close)
			const wrong = "wr0ng-pa55"
			swap := f.swap
			if !tt.weak {
				swap = nil
			}
			artifacttest.Run(t, artifacttest.Harness{
				Publish: f.publish,
				Swap:    swap,
				Remove:  f.remove,
				Source: func(t testing.TB, name string) artifact.Source {
					return sourceOf(t, repoAt(server.URL, credentials(password)), name)
				},
				AbsentBucket: func(t testing.TB, name string) artifact.Source {
					return sourceOf(t, repoAt(server.URL+"/absent", credentials(password)), name)
				},
				Denied: func(t testing.TB, name string) artifact.Source {
					return sourceOf(t, repoAt(server.URL, credentials(wrong)), name)
				},
				Secrets: []string{password, wrong},
				NoParts: tt.noParts,
				URL:     server.URL,
				SourceVia: func(t testing.TB, name, url string) artifact.Source {
					return sourceOf(t, repoAt(url, credentials(password)), name)
				},
				Download: func(r *nethttp.Request) bool {
					return r.Method == nethttp.MethodGet && !strings.HasSuffix(r.URL.Path, ".md5") && !strings.HasSuffix(r.URL.Path, ".sha256")
				},
			})
		})
	}
}
