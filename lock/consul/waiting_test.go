package consul_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/dropship/dropship/lock"
	"github.com/dropship/dropship/test/servers"
)

// shorten makes a watch end almost at once where nothing changes.
func shorten(r *http.Request) {
	if query := r.URL.Query(); query.Has("wait") {
		query.Set("wait", "5ms")
		r.URL.RawQuery = query.Encode()
	}
}

// Who waits far behind reads the whole line when something changes, and hardly ever while nothing does: a
// line is as long as the machines in it are many.
func TestQuietWaitReadsLittle(t *testing.T) {
	t.Parallel()
	address := servers.Get(t).Consul.Address
	prefix := newPrefix(t, newClient(t, address))
	l := newLocker(t, address, block(prefix, "60s"))
	holder := acquire(t, l, request("web-01"))
	second := wait(t, l, request("web-02"))

	p := newProxy(t, address)
	var watches, reads atomic.Int32
	p.intercept(func(_ http.ResponseWriter, r *http.Request, kind string) bool {
		switch query := r.URL.Query(); {
		case kind != "kv":
		case query.Has("recurse"):
			reads.Add(1)
		case query.Has("index"):
			watches.Add(1)
			shorten(r)
		}
		return false
	})
	third := wait(t, newLocker(t, p.address, block(prefix, "60s")), request("web-03"))
	eventually(t, "watches that end without a change", func() bool { return watches.Load() >= 50 })
	// One in ten leads to a read, so that what is told of those ahead does not stay old for ever.
	if n, m := reads.Load(), watches.Load(); n < 2 || n > m/10+1 {
		t.Errorf("got %d reads of the line in %d watches, want one in ten", n, m)
	}

	if err := holder.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := turn(t, second, patience).Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	held(t, turn(t, third, patience))
}

// Who gives up while Consul fails does not say that others hold the slots: it does not know.
func TestGivingUpWhileConsulFails(t *testing.T) {
	t.Parallel()
	address := servers.Get(t).Consul.Address
	for _, test := range []struct {
		name, ttl string
		fails     func(r *http.Request, kind string) bool
	}{
		{"watches", "60s", func(_ *http.Request, kind string) bool { return kind == "kv" }},
		{"renewals", "12s", func(_ *http.Request, kind string) bool { return kind == "session/renew" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			prefix := newPrefix(t, newClient(t, address))
			acquire(t, newLocker(t, address, block(prefix, "60s")), request("web-01"))
			p := newProxy(t, address)
			var fails, answers atomic.Int32
			var well atomic.Bool
			p.intercept(func(w http.ResponseWriter, r *http.Request, kind string) bool {
				if !test.fails(r, kind) || r.URL.Query().Has("recurse") && !r.URL.Query().Has("index") {
					return false
				}
				if well.Load() {
					shorten(r)
					p.consul.ServeHTTP(w, r)
					if r.Context().Err() == nil { // else it came too late, as it may on a busy machine
						answers.Add(1)
					}
					return true
				}
				fails.Add(1)
				w.WriteHeader(http.StatusInternalServerError)
				return true
			})
			l := newLocker(t, p.address, block(prefix, test.ttl))
			deadline := errors.New("the deadline")
			giveUp := func(when func() bool) error {
				req := request("web-02")
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				waiting := make(chan struct{}, 100)
				req.Waiting = func([]lock.Holder) { waiting <- struct{}{} }
				done := make(chan error, 1)
				go func() {
					_, err := l.Acquire(ctx, req)
					done <- err
				}()
				get(t, waiting, patience, "the wait")
				eventually(t, "requests", when)
				cancel(deadline)
				return get(t, done, patience, "the end of Acquire")
			}
			err := giveUp(func() bool { return fails.Load() >= 3 })
			if errors.Is(err, lock.ErrBusy) || !errors.Is(err, deadline) || !strings.Contains(err.Error(), "500") {
				t.Errorf("while Consul fails: got %v, want the cause and the failure, and no ErrBusy", err)
			}
			well.Store(true)
			if err := giveUp(func() bool { return answers.Load() >= 2 }); !errors.Is(err, lock.ErrBusy) {
				t.Errorf("while Consul answers: got %v, want ErrBusy", err)
			}
		})
	}
}

// Slots that come free at about the same time are all taken, also one that did before the one ahead took its own: nothing
// changes after that, which a watch would tell.
func TestSlotsFreeTogether(t *testing.T) {
	t.Parallel()
	address := servers.Get(t).Consul.Address
	prefix := newPrefix(t, newClient(t, address))
	l := newLocker(t, address, block(prefix, "60s"))
	of := func(host string) lock.Request {
		req := request(host)
		req.Slots = 2
		return req
	}
	first, second := acquire(t, l, of("web-01")), acquire(t, l, of("web-02"))
	p := newProxy(t, address)
	tries, free := make(chan struct{}, 1), make(chan struct{})
	p.intercept(func(_ http.ResponseWriter, _ *http.Request, kind string) bool {
		if kind == "txn" && p.count("txn") == 2 { // the first is the place in line
			tries <- struct{}{}
			<-free
		}
		return false
	})
	third := wait(t, newLocker(t, p.address, block(prefix, "60s")), of("web-03"))
	fourth := wait(t, l, of("web-04"))
	if err := first.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	get(t, tries, patience, "the third machine's attempt to take the slot")
	if err := second.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	close(free)
	held(t, turn(t, third, patience))
	held(t, turn(t, fourth, patience))
}

// A lock whose prefix is the folder of a group of another lock has nothing to do with that group.
func TestPrefixInsideAGroup(t *testing.T) {
	t.Parallel()
	address := servers.Get(t).Consul.Address
	prefix := newPrefix(t, newClient(t, address))
	inner := acquire(t, newLocker(t, address, block(prefix+"/slots", "60s")), request("web-01"))
	outer := request("web-02")
	outer.Group = "slots"
	held(t, acquire(t, newLocker(t, address, block(prefix, "60s")), outer))
	held(t, inner)
}
