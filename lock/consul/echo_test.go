package consul_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strings"
	"testing"

	"github.com/dropship/dropship/dropship/secret"
	"github.com/dropship/dropship/lock/consul"
)

// A proxy that says what it was asked, or sends requests elsewhere, gives no credential to anybody.
func TestCredentialsStayBetweenClientAndConsul(t *testing.T) {
	t.Parallel()
	told := make(chan string, 10)
	stranger := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		dump, _ := httputil.DumpRequest(r, true)
		told <- string(dump)
	}))
	defer stranger.Close()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/elsewhere") {
			http.Redirect(w, r, stranger.URL+r.URL.Path, http.StatusTemporaryRedirect)
			return
		}
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintf(w, "%s asked with %s as %s", r.RemoteAddr, r.Header.Get("X-Consul-Token"), r.Header.Get("Authorization"))
	}))
	defer proxy.Close()
	client, err := consul.Connection{Address: proxy.URL, Token: secret.String("t0ken/one"), User: "joe", Password: secret.String("hunter2")}.Client()
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = client.KV().Get("key", nil)
	if err == nil || !strings.Contains(err.Error(), "asked with (redacted) as Basic (redacted)") {
		t.Errorf("got the error %v, want what the proxy says, without credentials", err)
	}
	if _, _, err = client.KV().Get("elsewhere", nil); err == nil || !strings.Contains(err.Error(), "307") {
		t.Errorf("got the error %v, want one about the redirect", err)
	}
	select {
	case dump := <-told:
		t.Errorf("another server was asked:\n%s", dump)
	default:
	}
}
