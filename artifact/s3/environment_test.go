package s3_test

import (
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/test/faultproxy"
	"github.com/dropship/dropship/test/servers"
)

// emptyEnvironment leaves nothing that the machine or the developer has configured.
func emptyEnvironment(t *testing.T) {
	t.Helper()
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "")
		}
	}
	absent := filepath.Join(t.TempDir(), "absent")
	t.Setenv("AWS_CONFIG_FILE", absent)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", absent)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

func TestEnvironment(t *testing.T) {
	s := newServer(t, servers.Get(t).S3)
	s.put(t, "a.tar.gz", noise(1000, 1))
	proxy := faultproxy.Start(t, s.Endpoint)

	emptyEnvironment(t)
	t.Setenv("AWS_ACCESS_KEY_ID", s.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", s.Secret)
	// A name, since with an address the SDK has no choice but to put the bucket into the path.
	t.Setenv("AWS_ENDPOINT_URL_S3", strings.Replace(proxy.URL, "127.0.0.1", "localhost", 1))
	// No region: a server of one's own seldom has any.
	src := source(t, "", s.bucket, "a.tar.gz")
	info, err := src.Stat(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := verify(t, src, info, nil); err != nil {
		t.Error(err)
	}
	requests := proxy.Requests()
	if len(requests) != 2 {
		t.Errorf("a Stat and an Open made %d requests", len(requests))
	}
	for _, r := range requests {
		if got, want := r.URL.Path, "/"+s.bucket+"/a.tar.gz"; got != want {
			t.Errorf("got the path %s, want %s", got, want)
		}
	}
}

func TestProfile(t *testing.T) {
	s := newServer(t, servers.Get(t).S3)
	s.put(t, "a.tar.gz", noise(1000, 1))

	emptyEnvironment(t)
	path := filepath.Join(t.TempDir(), "config")
	profile := "[profile deploy]\naws_access_key_id = " + s.AccessKey + "\naws_secret_access_key = " + s.Secret + "\nregion = " + s.Region + "\n"
	if err := os.WriteFile(path, []byte(profile), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CONFIG_FILE", path)
	src := source(t, "endpoint = \""+s.Endpoint+"\"\n", s.bucket, "a.tar.gz")

	// Whoever mends the environment need not start the daemon anew.
	t.Setenv("AWS_PROFILE", "absent")
	if _, err := src.Stat(t.Context()); err == nil || !strings.Contains(err.Error(), src.String()) {
		t.Errorf("without its profile: got error %v, want one that names %s", err, src)
	}
	t.Setenv("AWS_PROFILE", "deploy")
	if _, err := src.Stat(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestNothingConfigured(t *testing.T) {
	emptyEnvironment(t)
	_, err := source(t, "", "bucket", "a.tar.gz").Stat(t.Context())
	if err == nil || !strings.Contains(err.Error(), "no region is known: set name") {
		t.Errorf("without a region: got error %v", err)
	}
	_, err = source(t, `name = "us-west-1"`, "bucket", "a.tar.gz").Stat(t.Context())
	if err == nil || !strings.Contains(err.Error(), "no credentials were found: set accessKey and secret") {
		t.Errorf("without credentials: got error %v", err)
	}
}

// What a service that gives credentials answers is nothing that S3 said.
func TestCredentialsServiceRefuses(t *testing.T) {
	for _, code := range []int{http.StatusForbidden, http.StatusNotFound, http.StatusBadRequest, http.StatusMovedPermanently} {
		t.Run(http.StatusText(code), func(t *testing.T) {
			service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }))
			defer service.Close()
			for name, endpoint := range map[string]string{
				"metadata of the machine": "AWS_EC2_METADATA_SERVICE_ENDPOINT",
				"of the container":        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
			} {
				emptyEnvironment(t)
				t.Setenv("AWS_EC2_METADATA_DISABLED", "")
				t.Setenv("AWS_MAX_ATTEMPTS", "1")
				t.Setenv(endpoint, service.URL)
				src := source(t, `name = "us-west-1"`, "bucket", "a.tar.gz")
				_, err := src.Stat(t.Context())
				if err == nil || errors.Is(err, artifact.ErrNotExist) || !strings.Contains(err.Error(), src.String()+": no credentials were found: set accessKey and secret") ||
					strings.Contains(err.Error(), "access denied") || strings.Contains(err.Error(), "check name") {
					t.Errorf("%s: got error %v, want one about credentials", name, err)
				}
			}
		})
	}
}

func TestCABundle(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `"1"`)
		w.Header().Set("Content-Length", "10")
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it is to be refused once
	server.StartTLS()
	defer server.Close()
	emptyEnvironment(t)
	const keys = "accessKey = \"a\"\nsecret = \"s\"\n"
	src := source(t, keys+"endpoint = \""+server.URL+"\"\n", "bucket", "a.tar.gz")
	if _, err := src.Stat(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("without the CA: got error %v, want one about the certificate", err)
	}
	path := filepath.Join(t.TempDir(), "ca.pem")
	bundle := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(path, bundle, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CA_BUNDLE", path)
	if _, err := source(t, keys+"endpoint = \""+server.URL+"\"\n", "bucket", "a.tar.gz").Stat(t.Context()); err != nil {
		t.Errorf("with the CA: %v", err)
	}
}
