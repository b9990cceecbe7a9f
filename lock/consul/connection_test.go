package consul_test

import (
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"testing"

	"github.com/dropship/dropship/dropship/secret"
	"github.com/dropship/dropship/lock/consul"
	"github.com/dropship/dropship/test/servers"
)

// newTLSFront is Consul behind a proxy that speaks TLS and asks for a user; it returns its address and CA file.
func newTLSFront(t *testing.T, user, password string) (address, caFile string) {
	t.Helper()
	behind := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: servers.Get(t).Consul.Address})
	behind.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if u, p, _ := r.BasicAuth(); u != user || p != password {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		behind.ServeHTTP(w, r)
	}))
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes are what is tested
	server.StartTLS()
	t.Cleanup(server.Close)
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(caFile, ca, 0o600); err != nil {
		t.Fatal(err)
	}
	return server.Listener.Addr().String(), caFile
}

func TestTLSAndBasicAuth(t *testing.T) {
	t.Parallel()
	address, ca := newTLSFront(t, "joe", "hunter2")
	prefix := newPrefix(t, newClient(t, servers.Get(t).Consul.Address))
	for _, test := range []struct {
		name, block string
		want        string // in the error; empty: a slot
	}{
		{"all of it", fmt.Sprintf("useSSL = true\ncaFile = %q\nuser = \"joe\"\npassword = \"hunter2\"", ca), ""},
		{"scheme in the address", fmt.Sprintf("address = \"https://%s\"\ncaFile = %q\nuser = \"joe\"\npassword = \"hunter2\"", address, ca), ""},
		{"unknown CA", "useSSL = true\nuser = \"joe\"\npassword = \"hunter2\"", "certificate"},
		{"no such CA file", "useSSL = true\ncaFile = \"/nonexistent/ca.pem\"", "/nonexistent/ca.pem"},
		{"wrong password", fmt.Sprintf("useSSL = true\ncaFile = %q\nuser = \"joe\"\npassword = \"wr0ng\"", ca), "401"},
		{"no TLS", "useSSL = false", "400"},
	} {
		block := test.block + fmt.Sprintf("\nprefix = %q", prefix)
		if !strings.Contains(block, "address") {
			block += fmt.Sprintf("\naddress = %q", address)
		}
		l, diags := consul.New(consul.Connection{}, parse(t, block), nil)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		lease, err := l.Acquire(t.Context(), request("web-01"))
		if test.want == "" {
			if err != nil {
				t.Errorf("%s: %v", test.name, err)
				continue
			}
			held(t, lease)
			if err := lease.Release(t.Context()); err != nil {
				t.Errorf("%s: %v", test.name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "wr0ng") {
			t.Errorf("%s: got %v, want an error with %q in it", test.name, err, test.want)
		}
	}
}

// What the configuration leaves empty comes from the environment; what it says counts more.
func TestEnvironment(t *testing.T) {
	acl := servers.Get(t).ConsulACL
	prefix := "test/env-" + strings.ToLower(random())
	t.Setenv("CONSUL_HTTP_ADDR", acl.Address)
	t.Setenv("CONSUL_HTTP_TOKEN", acl.Token)
	l, diags := consul.New(consul.Connection{}, parse(t, "prefix = \""+prefix+"\""), nil)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	if got, want := l.String(), "consul://"+acl.Address+"/"+prefix; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	lease := acquire(t, l, request("web-01"))
	held(t, lease)
	if err := lease.Release(t.Context()); err != nil {
		t.Error(err)
	}
	wrong, _ := consul.New(consul.Connection{Token: secret.String("11111111-2222-3333-4444-555555555555")}, nil, nil)
	if _, err := wrong.Acquire(t.Context(), request("web-01")); err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("got %v, want the configured token to be used, and denied", err)
	}
	// Credentials in the address are sent, and not shown.
	tlsAddress, ca := newTLSFront(t, "joe", "hunter2")
	t.Setenv("CONSUL_HTTP_ADDR", "https://joe:hunter2@"+tlsAddress)
	t.Setenv("CONSUL_CACERT", ca)
	t.Setenv("CONSUL_HTTP_TOKEN", "")
	held(t, acquire(t, l, request("web-01")))
	t.Setenv("CONSUL_HTTP_ADDR", "http://joe:hunter2@"+servers.Reserve(t))
	if _, err := l.Acquire(t.Context(), request("web-01")); err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(l.String(), "hunter2") {
		t.Errorf("got %v and %s, want an error, and no password", err, l)
	}
}

// Not parallel to others: it looks at all the goroutines of the process.
func TestNothingRunsOnAfterwards(t *testing.T) {
	address := servers.Get(t).Consul.Address
	prefix := newPrefix(t, newClient(t, address))
	l := newLocker(t, address, block(prefix, "15s"))
	idle := running("net/http.(*persistConn)") // of the tests' own clients
	lease := acquire(t, l, request("web-01"))
	// One renews, one watches; without seeing them here, the test could not fail below.
	eventually(t, "the goroutines of a lease", func() bool { return running("lock/consul.(*session)") == 2 })
	disagree := request("web-02")
	disagree.Slots = 2
	if _, err := l.Acquire(t.Context(), disagree); err == nil {
		t.Error("got a slot, want *lock.SlotsError")
	}
	if err := lease.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	// They have done their work by now, and may be about to return; the tests' own connections may come to their ends, too.
	eventually(t, "the end of its goroutines", func() bool { return running("lock/consul.(*session)") == 0 })
	eventually(t, "connections closed", func() bool { return running("net/http.(*persistConn)") <= idle })
}

// running returns how many goroutines are in, or were made by, a function of that name.
func running(name string) int {
	var b strings.Builder
	if err := pprof.Lookup("goroutine").WriteTo(&b, 2); err != nil {
		panic(err)
	}
	n := 0
	for g := range strings.SplitSeq(b.String(), "\n\n") {
		if strings.Contains(g, name) {
			n++
		}
	}
	return n
}
