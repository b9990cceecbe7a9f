package swift_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/dropship/dropship/artifact"
)

// through returns the source of path behind a gateway to the real server, which changes requests and
// answers about objects: what other servers with Swift's API, and gateways before it, do otherwise.
func (c *cloud) through(t *testing.T, path string, request func(*http.Request), answer func(*http.Response)) artifact.Source {
	t.Helper()
	target, err := url.Parse(c.url(t))
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
			if request != nil && !isLogin(r.In) {
				request(r.Out)
			}
		},
		ModifyResponse: func(r *http.Response) error {
			if answer != nil && !isLogin(r.Request) {
				answer(r)
			}
			return nil
		},
	})
	t.Cleanup(s.Close)
	return sourceOf(t, newRepository(t, c.repo(s.URL+"/auth/v1.0", c.Key)), c.bucket, path)
}

// Other servers with Swift's API make the Etag of a large object in other ways.
func TestStaticLargeObjectWithForeignEtag(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	c.putStatic(t, "big", c.uploadParts(t, "parts", parts), nil)
	src := c.through(t, "big", nil, func(r *http.Response) {
		r.Header.Set("Etag", `"0123456789abcdef0123456789abcdef-3"`)
	})
	info := stat(t, src)
	if sums, err := src.Checksums(t.Context(), info); err != nil || len(sums) != 0 || info.MD5 != "" {
		t.Errorf("got the checksums %v, the md5 %q and error %v, want nothing", sums, info.MD5, err)
	}
}

// The server is asked for that revision alone, and its answer is not taken on trust.
func TestOpenIsPinned(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	c.put(t, c.bucket, "a", []byte("first content"), nil)
	src, proxy := c.via(t, "a")
	unconditional := c.through(t, "a", func(r *http.Request) { r.Header.Del("If-Match") }, nil)
	info := stat(t, src)
	proxy.Forget()
	body, err := src.Open(t.Context(), info, 3, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if got, want := proxy.Requests()[0].Header.Get("If-Match"), `"`+info.Revision+`"`; got != want {
		t.Errorf("got If-Match %s, want %s", got, want)
	}

	c.put(t, c.bucket, "a", []byte("other"), nil)
	for _, src := range []artifact.Source{src, unconditional} {
		for _, offset := range []int64{0, 3, 10} { // the last is past the end now
			if _, err := src.Open(t.Context(), info, offset, -1); !errors.Is(err, artifact.ErrChanged) {
				t.Errorf("open at %d: got error %v, want ErrChanged", offset, err)
			}
		}
		if _, err := src.Checksums(t.Context(), info); !errors.Is(err, artifact.ErrChanged) {
			t.Errorf("checksums: got error %v, want ErrChanged", err)
		}
	}
}

func TestAnswersOfOtherServers(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	c.put(t, c.bucket, "a", []byte("content"), nil)
	for want, answer := range map[string]func(*http.Response){
		"gives no Etag":    func(r *http.Response) { r.Header.Del("Etag") },
		"left alone for 9": func(r *http.Response) { r.StatusCode = http.StatusServiceUnavailable; r.Header.Set("Retry-After", "9") },
		"access denied":    func(r *http.Response) { r.StatusCode = http.StatusForbidden },
	} {
		_, err := c.through(t, "a", nil, answer).Stat(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) || errors.Is(err, artifact.ErrNotExist) {
			t.Errorf("got error %v, want one with %q", err, want)
		}
	}
}
