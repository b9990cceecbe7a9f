package artifacttest_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	ncw "github.com/ncw/swift/v2"

	"github.com/dropship/dropship/artifact"
	artifacthttp "github.com/dropship/dropship/artifact/http"
	"github.com/dropship/dropship/artifact/internal/transport"
	"github.com/dropship/dropship/artifact/s3"
	"github.com/dropship/dropship/artifact/swift"
	"github.com/dropship/dropship/test/faultproxy"
	"github.com/dropship/dropship/test/servers"
)

// authority is what all repositories of these tests trust.
var authority *faultproxy.Authority

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	var err error
	if authority, err = faultproxy.NewAuthority(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	dir, err := os.MkdirTemp("", "dropship-network-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, authority.PEM, 0o600); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	flag.Parse()
	for _, err := range []error{
		os.Setenv("SSL_CERT_FILE", ca), os.Setenv("AWS_CA_BUNDLE", ca),
		flag.Set("test.parallel", "32"), // they wait, mostly
	} {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	// The tests of this binary are about the ends of these, and cannot wait for half a minute each.
	transport.Connect, transport.Answer, transport.Whole = 1*time.Second, 2*time.Second, 3*time.Second
	return m.Run()
}

// A kind is a kind of repository and its real server, with a place on it that is the test's own.
type kind struct {
	name    string
	url     string
	secrets []string
	publish func(name string, content []byte)
	// source returns the source for name at another URL of the server.
	source func(t *testing.T, name, url string) artifact.Source
}

// isDownload tells requests for the bytes of an artifact from all others.
func (k kind) isDownload(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, ".tar")
}

func kinds(t *testing.T) []kind {
	t.Helper()
	set := servers.Get(t)
	return []kind{s3Kind(t, "versitygw", set.S3), s3Kind(t, "s3api of Swift", set.SwiftS3), swiftKind(t, set.Swift), webKind(t)}
}

func s3Kind(t *testing.T, name string, at servers.S3) kind {
	t.Helper()
	bucket := "network-" + strings.ToLower(rand.Text()[:16])
	admin := awss3.New(awss3.Options{
		BaseEndpoint: aws.String(at.Endpoint), UsePathStyle: true, Region: at.Region,
		Credentials:                credentials.NewStaticCredentialsProvider(at.AccessKey, at.Secret, ""),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
	})
	if _, err := admin.CreateBucket(t.Context(), &awss3.CreateBucketInput{Bucket: &bucket}); err != nil {
		t.Fatalf("cannot create the bucket %s: %v", bucket, err)
	}
	return kind{
		name: name, url: at.Endpoint, secrets: []string{at.Secret},
		publish: func(name string, content []byte) {
			in := &awss3.PutObjectInput{Bucket: &bucket, Key: &name, Body: bytes.NewReader(content)}
			if _, err := admin.PutObject(t.Context(), in); err != nil {
				t.Fatalf("cannot put %s: %v", name, err)
			}
		},
		source: func(t *testing.T, name, url string) artifact.Source {
			repo := fmt.Sprintf("accessKey = %q\nsecret = %q\nname = %q\nendpoint = %q\n", at.AccessKey, at.Secret, at.Region, url)
			return source(t, s3.New, repo, fmt.Sprintf("bucket = %q\npath = %q\n", bucket, name))
		},
	}
}

func swiftKind(t *testing.T, at servers.Swift) kind {
	t.Helper()
	container := "network-" + strings.ToLower(rand.Text())
	conn := &ncw.Connection{UserName: at.User, ApiKey: at.Key, AuthUrl: at.AuthURL, AuthVersion: 1}
	if err := conn.ContainerCreate(t.Context(), container, nil); err != nil {
		t.Fatalf("cannot create the container %s: %v", container, err)
	}
	u, err := url.Parse(at.AuthURL)
	if err != nil {
		t.Fatal(err)
	}
	return kind{
		name: "Swift", url: "http://" + u.Host, secrets: []string{at.Key + "\""},
		publish: func(name string, content []byte) {
			if _, err := conn.ObjectPut(t.Context(), container, name, bytes.NewReader(content), true, "", "", nil); err != nil {
				t.Fatalf("cannot put %s: %v", name, err)
			}
		},
		source: func(t *testing.T, name, url string) artifact.Source {
			repo := fmt.Sprintf("user = %q\nkey = %q\nauthUrl = %q\n", at.User, at.Key, url+u.Path)
			return source(t, swift.New, repo, fmt.Sprintf("bucket = %q\npath = %q\n", container, name))
		},
	}
}

// webKind is Go's file server, with a password and a file of the checksum beside each artifact.
func webKind(t *testing.T) kind {
	t.Helper()
	const password = "not-to-be-shown"
	dir := t.TempDir()
	files := http.FileServer(http.Dir(dir))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, p, _ := r.BasicAuth(); p != password {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		files.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return kind{
		name: "web server", url: server.URL, secrets: []string{password},
		publish: func(name string, content []byte) {
			for file, data := range map[string][]byte{name: content, name + ".sha256": fmt.Appendf(nil, "%x", sha256.Sum256(content))} {
				if err := os.WriteFile(filepath.Join(dir, file), data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		},
		source: func(t *testing.T, name, url string) artifact.Source {
			repo := fmt.Sprintf("user = \"deploy\"\npassword = %q\nurl = %q\n", password, url)
			return source(t, artifacthttp.New, repo, fmt.Sprintf("path = %q\n", name))
		},
	}
}

func source(t *testing.T, newRepository func(hcl.Body, *hcl.EvalContext) (artifact.Repository, hcl.Diagnostics), repo, block string) artifact.Source {
	t.Helper()
	body := func(text string) hcl.Body {
		f, diags := hclsyntax.ParseConfig([]byte(text), "test.hcl", hcl.InitialPos)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		return f.Body
	}
	r, diags := newRepository(body(repo), nil)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	s, diags := r.Source(body(block), nil)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return s
}

// noise returns n bytes without a period.
func noise(n int) []byte {
	b := make([]byte, n)
	x := uint32(n)*2654435761 + 1
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return b
}
