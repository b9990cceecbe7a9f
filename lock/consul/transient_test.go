package consul_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/dropship/dropship/lock"
	"github.com/dropship/dropship/test/servers"
)

// failing answers consistent reads, of the line or of a contender's own keys, with these statuses, the last for ever (0 is Consul's own answer), and
// returns how many there were.
func failing(p *proxy, codes ...int) (reads *atomic.Int32) {
	reads = &atomic.Int32{}
	p.intercept(func(w http.ResponseWriter, r *http.Request, kind string) bool {
		q := r.URL.Query()
		if !q.Has("consistent") || kind != "txn" && !q.Has("recurse") && !q.Has("keys") {
			return false
		}
		n := int(reads.Add(1))
		code := codes[min(n, len(codes))-1]
		if code == 0 {
			return false
		}
		w.WriteHeader(code)
		if code == http.StatusForbidden {
			fmt.Fprint(w, "rpc error making call: Permission denied")
		} else {
			fmt.Fprint(w, "No cluster leader")
		}
		return true
	})
	return reads
}

// When Check is asked, the application is down already: an election is no reason to throw its update away.
func TestCheckIsRepeatedUntilThereIsAnAnswer(t *testing.T) {
	t.Parallel()
	address := servers.Get(t).Consul.Address
	p := newProxy(t, address)
	lease := acquire(t, newLocker(t, p.address, block(newPrefix(t, newClient(t, address)), "30s")), request("web-01"))
	reads := failing(p, http.StatusInternalServerError, http.StatusBadGateway, http.StatusTooManyRequests, 0)
	held(t, lease)
	if n := reads.Load(); n != 4 {
		t.Errorf("got %d reads, want three that failed and the answer", n)
	}
}

// Something in between that answers everything with 200 does not know who holds the slot.
func TestCheckBelievesNoStatusAlone(t *testing.T) {
	t.Parallel()
	address := servers.Get(t).Consul.Address
	p := newProxy(t, address)
	lease := acquire(t, newLocker(t, p.address, block(newPrefix(t, newClient(t, address)), "30s")), request("web-01"))
	p.intercept(func(w http.ResponseWriter, r *http.Request, kind string) bool {
		if kind != "txn" || !r.URL.Query().Has("consistent") {
			return false
		}
		fmt.Fprint(w, `{"Results": [], "Errors": null}`)
		return true
	})
	if err := lease.Check(t.Context()); !errors.Is(err, lock.ErrLost) {
		t.Errorf("got %v, want ErrLost: the answer names no key", err)
	}
}

func TestCheckEndsWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	address := servers.Get(t).Consul.Address
	for _, test := range []struct {
		name, ttl string
		code      int    // of the answer to Check
		outage    bool   // so is every other answer
		stop      bool   // the caller's context ends
		want      string // in the error
		lost      bool   // it is ErrLost
	}{
		{name: "refused", ttl: "30s", code: http.StatusForbidden, want: "permission denied"},
		{name: "stopped", ttl: "30s", code: http.StatusInternalServerError, stop: true, want: "No cluster leader"},
		{name: "lost", ttl: "8s", code: http.StatusInternalServerError, outage: true, want: "500", lost: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newProxy(t, address)
			lease := acquire(t, newLocker(t, p.address, block(newPrefix(t, newClient(t, address)), test.ttl)), request("web-01"))
			reads := failing(p, test.code)
			if test.outage {
				p.intercept(func(w http.ResponseWriter, _ *http.Request, _ string) bool {
					w.WriteHeader(test.code)
					return true
				})
				t.Cleanup(func() { p.intercept(nil) })
			}
			shutdown := errors.New("the agent stops")
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			checked := make(chan error, 1)
			go func() { checked <- lease.Check(ctx) }()
			if test.stop {
				eventually(t, "a check that is repeated", func() bool { return reads.Load() >= 4 })
				cancel(shutdown)
			}
			err := get(t, checked, patience, "the end of Check")
			if err == nil || !strings.Contains(err.Error(), test.want) || errors.Is(err, lock.ErrLost) != test.lost || errors.Is(err, shutdown) != test.stop {
				t.Errorf("got %v, want an error with %q in it; ErrLost %t, the cause of the context %t", err, test.want, test.lost, test.stop)
			}
			if n := reads.Load(); test.code == http.StatusForbidden && n != 1 {
				t.Errorf("a refusal was asked for %d times", n)
			}
		})
	}
}

// Who gives up because it is told to stop says so, also between two attempts to reach Consul.
func TestStoppedWhileConsulFails(t *testing.T) {
	t.Parallel()
	address := servers.Get(t).Consul.Address
	p := newProxy(t, address)
	l := newLocker(t, p.address, block(newPrefix(t, newClient(t, address)), "30s"))
	reads := failing(p, http.StatusInternalServerError)
	shutdown := errors.New("the agent stops")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	done := make(chan error, 1)
	go func() {
		_, err := l.Acquire(ctx, request("web-01"))
		done <- err
	}()
	eventually(t, "attempts, with a pause after each", func() bool { return reads.Load() >= 4 })
	cancel(shutdown)
	err := get(t, done, patience, "the end of Acquire")
	if !errors.Is(err, shutdown) || !strings.Contains(err.Error(), "No cluster leader") || errors.Is(err, lock.ErrBusy) {
		t.Errorf("got %v, want the cause of the context, what failed, and no ErrBusy: nobody was ahead", err)
	}
}
