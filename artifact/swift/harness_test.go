package swift_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	ncw "github.com/ncw/swift/v2"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/artifacttest"
	"github.com/dropship/dropship/artifact/swift"
	"github.com/dropship/dropship/test/faultproxy"
	"github.com/dropship/dropship/test/servers"
)

// A cloud is the real Swift, with a container in it that is one test's own.
type cloud struct {
	servers.Swift
	conn   *ncw.Connection // of the one who publishes
	bucket string
}

func newCloud(t *testing.T) *cloud {
	t.Helper()
	s := servers.Get(t).Swift
	c := &cloud{
		Swift:  s,
		conn:   &ncw.Connection{UserName: s.User, ApiKey: s.Key, AuthUrl: s.AuthURL, AuthVersion: 1},
		bucket: "artifacts-" + strings.ToLower(rand.Text()),
	}
	for _, bucket := range []string{c.bucket, c.segments()} {
		if err := c.conn.ContainerCreate(t.Context(), bucket, nil); err != nil {
			t.Fatalf("cannot create container %s: %v", bucket, err)
		}
	}
	return c
}

// segments is the container for the parts of large objects.
func (c *cloud) segments() string { return c.bucket + "_segments" }

// url is where the server is, without a path.
func (c *cloud) url(t testing.TB) string {
	t.Helper()
	u, err := url.Parse(c.AuthURL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Scheme + "://" + u.Host
}

func (c *cloud) put(t testing.TB, bucket, path string, content []byte, header ncw.Headers) {
	t.Helper()
	if _, err := c.conn.ObjectPut(t.Context(), bucket, path, bytes.NewReader(content), true, "", "application/gzip", header); err != nil {
		t.Fatalf("cannot put %s/%s: %v", bucket, path, err)
	}
}

// repo is a repo "swift" block of this user at authURL.
func (c *cloud) repo(authURL, key string) string {
	return fmt.Sprintf("user = %q\nkey = %q\nauthUrl = %q\n", c.User, key, authURL)
}

func (c *cloud) source(t testing.TB, path string) artifact.Source {
	t.Helper()
	return sourceOf(t, newRepository(t, c.repo(c.AuthURL, c.Key)), c.bucket, path)
}

// via returns the source of path through a proxy to the server.
func (c *cloud) via(t *testing.T, path string) (artifact.Source, *faultproxy.Proxy) {
	t.Helper()
	p := faultproxy.Start(t, c.url(t))
	return sourceOf(t, newRepository(t, c.repo(p.URL+"/auth/v1.0", c.Key)), c.bucket, path), p
}

func body(t testing.TB, src string) hcl.Body {
	t.Helper()
	f, diags := hclsyntax.ParseConfig([]byte(src), "test.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return f.Body
}

func newRepository(t testing.TB, src string) artifact.Repository {
	t.Helper()
	r, diags := swift.New(body(t, src), nil)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return r
}

func sourceOf(t testing.TB, r artifact.Repository, bucket, path string) artifact.Source {
	t.Helper()
	s, diags := r.Source(body(t, fmt.Sprintf("bucket = %q\npath = %q\n", bucket, strings.ReplaceAll(path, "%{", "%%{"))), nil)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return s
}

func isLogin(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/auth/") }

func TestSuite(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	const wrongKey = "no-such-key-4711"
	artifacttest.Run(t, artifacttest.Harness{
		Publish: func(t testing.TB, name string, content []byte) {
			t.Helper()
			c.put(t, c.bucket, name, content, nil)
		},
		Remove: func(t testing.TB, name string) {
			t.Helper()
			if err := c.conn.ObjectDelete(t.Context(), c.bucket, name); err != nil {
				t.Fatal(err)
			}
		},
		Source: func(t testing.TB, name string) artifact.Source {
			t.Helper()
			return c.source(t, name)
		},
		AbsentBucket: func(t testing.TB, name string) artifact.Source {
			t.Helper()
			return sourceOf(t, newRepository(t, c.repo(c.AuthURL, c.Key)), c.bucket+"-absent", name)
		},
		Denied: func(t testing.TB, name string) artifact.Source {
			t.Helper()
			return sourceOf(t, newRepository(t, c.repo(c.AuthURL, wrongKey)), c.bucket, name)
		},
		Secrets: []string{c.Key, wrongKey},
		URL:     c.url(t),
		SourceVia: func(t testing.TB, name, url string) artifact.Source {
			t.Helper()
			return sourceOf(t, newRepository(t, c.repo(url+"/auth/v1.0", c.Key)), c.bucket, name)
		},
		Download: func(r *http.Request) bool { return r.Method == http.MethodGet && !isLogin(r) },
	})
}
