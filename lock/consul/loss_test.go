package consul_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dropship/dropship/lock"
	"github.com/dropship/dropship/test/servers"
)

// Whoever reads that a slot was lost reads why: from Err, from Check, and from a context made of the lease.
func TestLossSaysWhy(t *testing.T) {
	t.Parallel()
	address := servers.Get(t).Consul.Address
	client := newClient(t, address)
	for _, test := range []struct {
		name, ttl string
		take      func(t *testing.T, p *proxy, folder string)
		want      []string
	}{
		{"no answer", "6s", func(_ *testing.T, p *proxy, _ string) {
			p.intercept(func(w http.ResponseWriter, _ *http.Request, _ string) bool {
				w.WriteHeader(http.StatusServiceUnavailable)
				return true
			})
		}, []string{"not renewed for 5.4s", "cannot renew session", "503"}},
		{"no time for the last attempt", "6s", func(_ *testing.T, p *proxy, _ string) {
			start := time.Now()
			p.intercept(func(w http.ResponseWriter, r *http.Request, _ string) bool {
				if time.Since(start) > 4600*time.Millisecond { // a renewal that comes now has less than a sixth of the TTL
					<-r.Context().Done()
				}
				w.WriteHeader(http.StatusServiceUnavailable)
				return true
			})
		}, []string{"not renewed for 5.4s", "503"}},
		{"deleted", "60s", func(t *testing.T, _ *proxy, folder string) {
			if _, err := client.KV().DeleteTree(folder, nil); err != nil {
				t.Error(err)
			}
		}, []string{"was taken away"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newProxy(t, address)
			prefix := newPrefix(t, client)
			lease := acquire(t, newLocker(t, p.address, block(prefix, test.ttl)), request("web-01"))
			t.Cleanup(func() { p.intercept(nil) })
			if err := lease.Err(); err != nil {
				t.Fatalf("while held: got %v, want nil", err)
			}
			test.take(t, p, prefix+"/web/")
			get(t, lease.Lost(), patience, "Lost")
			for what, err := range map[string]error{"Err": lease.Err(), "Check": lease.Check(t.Context())} {
				for _, part := range test.want {
					if !errors.Is(err, lock.ErrLost) || !strings.Contains(err.Error(), part) {
						t.Errorf("%s: got %v, want ErrLost and %q", what, err, part)
					}
				}
			}
		})
	}
}
