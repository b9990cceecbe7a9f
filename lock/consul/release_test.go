package consul_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/dropship/dropship/test/servers"
)

// refusing answers requests to give a slot back and to end a session with these statuses, the last for ever (0 is
// Consul's own answer), and returns how many there were.
func refusing(p *proxy, codes ...int) (requests *atomic.Int32) {
	requests = &atomic.Int32{}
	p.intercept(func(w http.ResponseWriter, _ *http.Request, kind string) bool {
		if kind != "txn" && kind != "session/destroy" {
			return false
		}
		n := int(requests.Add(1))
		code := codes[min(n, len(codes))-1]
		if code == 0 {
			return false
		}
		if kind == "txn" && code == http.StatusForbidden { // as Consul says it
			w.WriteHeader(http.StatusConflict)
			fmt.Fprint(w, `{"Errors": [{"OpIndex": 1, "What": "Permission denied: token lacks permission 'key:write'"}]}`)
			return true
		}
		w.WriteHeader(code)
		fmt.Fprint(w, http.StatusText(code))
		return true
	})
	return requests
}

// One answer that fails must not keep a whole group waiting until the session expires.
func TestReleaseIsRepeated(t *testing.T) {
	t.Parallel()
	address := servers.Get(t).Consul.Address
	client := newClient(t, address)
	prefix := newPrefix(t, client)
	p := newProxy(t, address)
	lease := acquire(t, newLocker(t, p.address, block(prefix, "60s")), request("web-01"))
	requests := refusing(p, http.StatusInternalServerError, http.StatusTooManyRequests, 0)
	if err := lease.Release(t.Context()); err != nil {
		t.Errorf("got %v, want the slot given back", err)
	}
	if got := contenders(t, client, prefix+"/web/"); len(got) != 0 || requests.Load() != 3 {
		t.Errorf("got %d requests and %v left, want 3 (the session ends by itself) and nothing", requests.Load(), got)
	}
}

func TestReleaseEnds(t *testing.T) {
	t.Parallel()
	address := servers.Get(t).Consul.Address
	for _, test := range []struct {
		code   int
		want   string
		repeat bool
	}{
		{http.StatusForbidden, "permission denied", false},
		{http.StatusInternalServerError, "Internal Server Error", true},
	} {
		p := newProxy(t, address)
		lease := acquire(t, newLocker(t, p.address, block(newPrefix(t, newClient(t, address)), "60s")), request("web-01"))
		requests := refusing(p, test.code)
		err := lease.Release(t.Context())
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%d: got %v, want %q in it", test.code, err, test.want)
		}
		if n := requests.Load(); (n > 2) != test.repeat {
			t.Errorf("%d: got %d requests, want more than one of each kind: %t", test.code, n, test.repeat)
		}
		p.intercept(nil)
		if err := lease.Release(t.Context()); err != nil {
			t.Errorf("%d: Release again: %v", test.code, err)
		}
	}
}
