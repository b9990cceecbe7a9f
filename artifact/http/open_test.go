package http_test

import (
	"errors"
	"fmt"
	"io"
	nethttp "net/http"
	"strings"
	"testing"

	"github.com/dropship/dropship/artifact"
)

// hello answers a check, and leaves the downloads to open.
func hello(t *testing.T, etag string, open nethttp.HandlerFunc) artifact.Source {
	t.Helper()
	server := serve(t, func(w nethttp.ResponseWriter, r *nethttp.Request) {
		w.Header().Set("ETag", etag)
		if r.Method == nethttp.MethodHead {
			w.Header().Set("Content-Length", "11")
			return
		}
		open(w, r)
	})
	return sourceOf(t, repoAt(server.URL), "hello.tar.gz")
}

func TestOpenAnswers(t *testing.T) {
	t.Parallel()
	ranged := func(contentRange, body string) nethttp.HandlerFunc {
		return func(w nethttp.ResponseWriter, _ *nethttp.Request) {
			w.Header().Set("Content-Range", contentRange)
			w.WriteHeader(nethttp.StatusPartialContent)
			fmt.Fprint(w, body)
		}
	}
	for _, tt := range []struct {
		name    string
		offset  int64
		answer  nethttp.HandlerFunc
		want    string
		wantErr error  // or
		text    string // in the error
	}{
		{"range", 6, ranged("bytes 6-10/11", "world"), "world", nil, ""},
		{"range of an unknown whole", 6, ranged("bytes 6-10/*", "world"), "world", nil, ""},
		{"wrong range", 6, ranged("bytes 0-10/11", "hello world"), "", nil, "bytes from 0 instead of 6"},
		{"no range in 206", 6, ranged("", "world"), "", nil, "cannot be understood"},
		{"range ignored", 6, func(w nethttp.ResponseWriter, _ *nethttp.Request) { fmt.Fprint(w, "hello world") }, "world", nil, ""},
		{"range ignored, cut before it", 6, func(w nethttp.ResponseWriter, _ *nethttp.Request) { fmt.Fprint(w, "hel") }, "", io.ErrUnexpectedEOF, ""},
		{"range ignored, changed", 6, func(w nethttp.ResponseWriter, _ *nethttp.Request) {
			w.Header().Set("ETag", `"2"`)
			fmt.Fprint(w, "HELLO WORLD")
		}, "", artifact.ErrChanged, ""},
		{"412", 0, status(nethttp.StatusPreconditionFailed), "", artifact.ErrChanged, ""},
		{"416 at the end", 11, status(nethttp.StatusRequestedRangeNotSatisfiable), "", nil, ""},
		{"416 before the end", 6, status(nethttp.StatusRequestedRangeNotSatisfiable), "", artifact.ErrChanged, ""},
		{"404", 0, status(nethttp.StatusNotFound), "", artifact.ErrNotExist, ""},
		{"403", 0, status(nethttp.StatusForbidden), "", nil, "access denied"},
		{"short", 0, func(w nethttp.ResponseWriter, _ *nethttp.Request) { fmt.Fprint(w, "hello") }, "hello", io.ErrUnexpectedEOF, ""},
		{"gzip", 0, func(w nethttp.ResponseWriter, _ *nethttp.Request) { w.Header().Set("Content-Encoding", "gzip") }, "", nil, "Content-Encoding"},
		{"chunked and cut", 0, func(w nethttp.ResponseWriter, _ *nethttp.Request) {
			fmt.Fprint(w, "hello")
			_ = nethttp.NewResponseController(w).Flush()
			panic(nethttp.ErrAbortHandler)
		}, "hello", io.ErrUnexpectedEOF, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			src := hello(t, `"1"`, tt.answer)
			info := stat(t, src)
			got, err := read(t, src, info, tt.offset)
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			switch {
			case tt.wantErr == nil && tt.text == "" && err != nil,
				tt.wantErr != nil && !errors.Is(err, tt.wantErr),
				tt.text != "" && (err == nil || !strings.Contains(err.Error(), tt.text)):
				t.Errorf("got error %v, want %v %s", err, tt.wantErr, tt.text)
			}
			if err != nil && !strings.Contains(err.Error(), src.String()) {
				t.Errorf("the error %q does not name %s", err, src)
			}
		})
	}
}

// Of what is no answer to a request for a part, not a byte is taken for that part.
func TestOpenPartAnswers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, contentRange, body, want, text string
	}{
		{"the part", "bytes 2-4/11", "llo", "llo", ""},
		{"shorter, and says so", "bytes 2-3/11", "ll", "", "bytes up to 3 instead of 4"},
		{"longer, and says so", "bytes 2-10/11", "llo world", "", "bytes up to 10 instead of 4"},
		{"another", "bytes 3-5/11", "lo ", "", "bytes from 3 instead of 2"},
		{"shorter than it says", "bytes 2-4/11", "ll", "ll", "ended after 2 of 3 bytes"},
		{"of another file", "bytes 2-4/12", "llo", "llo", ""}, // the ETag is the same: that counts
		{"nonsense", "bytes 2", "llo", "", "cannot be understood"},
	} {
		src := hello(t, `"1"`, func(w nethttp.ResponseWriter, r *nethttp.Request) {
			if got, want := r.Header.Get("Range"), "bytes=2-4"; got != want {
				t.Errorf("%s: asked for the range %q, want %q", tt.name, got, want)
			}
			w.Header().Set("Content-Range", tt.contentRange)
			w.WriteHeader(nethttp.StatusPartialContent)
			fmt.Fprint(w, tt.body)
		})
		var got []byte
		body, err := src.Open(t.Context(), stat(t, src), 2, 3)
		if err == nil {
			got, err = io.ReadAll(body)
			body.Close()
		}
		if string(got) != tt.want || (err == nil) != (tt.text == "") || err != nil && !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: got %q and error %v, want %q and %q", tt.name, got, err, tt.want, tt.text)
		}
	}
}

// What a request for the bytes is conditional on.
func TestOpenConditions(t *testing.T) {
	t.Parallel()
	const modified = "Mon, 02 Jan 2006 15:04:05 GMT"
	for _, tt := range []struct{ etag, modified, want string }{
		{`"1"`, modified, `If-Match: "1"`},
		{`"1"`, "", `If-Match: "1"`},
		{`W/"1"`, modified, "If-Unmodified-Since: " + modified},
		{`1`, modified, "If-Unmodified-Since: " + modified}, // an ETag has quotes; this one cannot be a condition
		{"", modified, "If-Unmodified-Since: " + modified},
		{`W/"1"`, "", ""},
	} {
		var got string
		server := serve(t, func(w nethttp.ResponseWriter, r *nethttp.Request) {
			for name, value := range map[string]string{"ETag": tt.etag, "Last-Modified": tt.modified} {
				if value != "" {
					w.Header().Set(name, value)
				}
			}
			if r.Method == nethttp.MethodGet {
				for _, name := range []string{"If-Match", "If-Unmodified-Since"} {
					if value := r.Header.Get(name); value != "" {
						got += name + ": " + value
					}
				}
			}
		})
		src := sourceOf(t, repoAt(server.URL), "a")
		if _, err := read(t, src, stat(t, src), 0); err != nil {
			t.Error(err)
		}
		if got != tt.want {
			t.Errorf("ETag %q, Last-Modified %q: got the condition %q, want %q", tt.etag, tt.modified, got, tt.want)
		}
	}
}

// Programs that answer HEAD without Content-Length give one to GET, and the other way round.
func TestUnknownSizes(t *testing.T) {
	t.Parallel()
	for _, known := range []string{nethttp.MethodHead, nethttp.MethodGet, "neither"} {
		server := serve(t, func(w nethttp.ResponseWriter, r *nethttp.Request) {
			w.Header().Set("Last-Modified", "Mon, 02 Jan 2006 15:04:05 GMT")
			if r.Method == known {
				w.Header().Set("Content-Length", "11")
			}
			if r.Method == nethttp.MethodGet {
				_ = nethttp.NewResponseController(w).Flush() // chunked, unless the length is set
				fmt.Fprint(w, "hello world")
			}
		})
		src := sourceOf(t, repoAt(server.URL), "hello")
		info := stat(t, src)
		want := int64(-1)
		if known == nethttp.MethodHead {
			want = 11
		}
		if info.Size != want {
			t.Errorf("%s tells the size: got %d, want %d", known, info.Size, want)
		}
		for _, offset := range []int64{0, 6, 11} {
			if got, err := read(t, src, info, offset); err != nil || got != "hello world"[offset:] {
				t.Errorf("%s tells the size, offset %d: got %q and error %v", known, offset, got, err)
			}
		}
	}
}

// A body that is dropped up to its offset must not look like a stalled one to who reads it.
func TestSkippedBytesAreProgress(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	src := hello(t, `"1"`, func(w nethttp.ResponseWriter, _ *nethttp.Request) {
		_, _ = w.Write(make([]byte, size))
	})
	info := stat(t, src)
	info.Size = size
	r, err := src.Open(t.Context(), info, size-1, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p := make([]byte, 4096)
	reads := 0
	for {
		n, err := r.Read(p)
		reads++
		if n > 0 {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if reads < size/len(p) {
		t.Errorf("got the first byte after %d reads of %d bytes each, want that each read returns soon", reads, len(p))
	}
}
