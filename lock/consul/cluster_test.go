package consul_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dropship/dropship/lock"
	"github.com/dropship/dropship/test/servers"
)

// The client agent of a machine leaves in an orderly way, which ends the machine's sessions at once. The next in line,
// elsewhere, still does not begin before the holder, who is cut off, has given up.
func TestAgentThatLeavesLetsNobodyInEarly(t *testing.T) {
	t.Parallel()
	const ttl = 10 * time.Second
	c := servers.NewCluster(t)
	c.Start(servers.Client)
	p := newProxy(t, c.Addresses[servers.Client])
	var cut atomic.Bool
	p.intercept(func(_ http.ResponseWriter, r *http.Request, kind string) bool {
		watch := kind == "kv" && r.URL.Query().Has("index") // else an agent that is busy leaving may still tell of the end
		if watch || cut.Load() {
			select {
			case <-r.Context().Done():
			case <-t.Context().Done(): // not noticed otherwise while a body is unread
			}
			return true
		}
		return false
	})
	lease := acquire(t, newLocker(t, p.address, block("slots", ttl.String())), request("web-01"))
	waiter := wait(t, newLocker(t, c.Addresses[0], block("slots", "60s")), request("web-02"))

	client := newClient(t, c.Addresses[0])
	cut.Store(true)
	c.Stop(servers.Client)
	eventually(t, "the holder's session to end with its agent", func() bool {
		return len(contenders(t, client, "slots/web/")) == 1 // the waiter
	})
	select {
	case <-lease.Lost():
		t.Fatal("the holder has heard of the end of its session: this test shows nothing")
	default:
	}
	ended := time.Now()
	select {
	case <-lease.Lost():
	case r := <-waiter:
		t.Fatalf("the next in line got (%v, %v) while the holder counts on its slot", r.lease, r.err)
	}
	t.Logf("the holder noticed after %s", time.Since(ended).Round(time.Millisecond))
	held(t, turn(t, waiter, ttl+patience))
	t.Logf("the next one entered after %s, TTL %s", time.Since(ended).Round(time.Millisecond), ttl)
}

// A witness counts those who believe that they hold, without asking Consul.
type witness struct {
	slots    int
	losses   atomic.Int64
	mu       sync.Mutex
	in       int
	most     int
	turns    int
	overlaps int
	notice   func(lock.Lease) // what else a holder looks at and does; nil: nothing
}

func (w *witness) enter(l lock.Lease) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.in++
	w.turns++
	w.most = max(w.most, w.in)
	if w.notice != nil {
		w.notice(l)
	}
	if w.in > w.slots {
		w.overlaps++
	}
}

func (w *witness) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.in--
}

func (w *witness) taken() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.turns
}

// contend takes turn after turn until ctx ends, as an agent does, and returns how many it lost.
func contend(ctx context.Context, l lock.Locker, w *witness, host string, stay func() time.Duration) (lost int) {
	req := request(host)
	req.Slots = w.slots
	for ctx.Err() == nil {
		lease, err := l.Acquire(ctx, req)
		if err != nil {
			select { // a locker does not retry
			case <-time.After(50 * time.Millisecond):
			case <-ctx.Done():
			}
			continue
		}
		if lease.Err() == nil {
			w.enter(lease)
			select {
			case <-time.After(stay()):
			case <-lease.Lost():
				lost++
				w.losses.Add(1)
			case <-ctx.Done():
			}
			w.leave()
		}
		_ = lease.Release(context.WithoutCancel(ctx)) // what cannot be given back expires
	}
	return lost
}

// Contenders at all three servers take turns, while in turn the leader is killed, cut off, its link flaps, another
// server is cut off, and sessions are destroyed.
func TestOneHoldsWhateverHappensToTheCluster(t *testing.T) {
	t.Parallel()
	c := servers.NewCluster(t)
	w := &witness{slots: 1}
	ctx, cancel := context.WithCancel(t.Context())
	var lost atomic.Int64
	var wg sync.WaitGroup
	for i := range 6 {
		l := newLocker(t, c.Addresses[i%3], block("slots", "1s"))
		wg.Go(func() {
			lost.Add(int64(contend(ctx, l, w, fmt.Sprint("web-", i), func() time.Duration {
				return time.Duration(rand.IntN(40)) * time.Millisecond
			})))
		})
	}
	defer wg.Wait()
	defer cancel()

	progress := func(what string) {
		t.Helper()
		before := w.taken()
		begin := time.Now()
		eventuallyWithin(t, time.Minute, "turns after "+what, func() bool { return w.taken() >= before+15 })
		t.Logf("%s: %d turns in %s", what, w.taken()-before, time.Since(begin).Round(time.Millisecond))
	}
	progress("the start")
	for _, f := range []struct {
		name   string
		strike func()
	}{
		{"sessions destroyed", func() {
			// Until it cost somebody a slot: who has given it back by then loses nothing.
			eventuallyWithin(t, time.Minute, "a slot that is lost", func() bool {
				destroyHolders(t, c.Addresses[c.Leader()], 5)
				return w.losses.Load() > 0
			})
		}},
		{"leader killed", func() {
			i := c.Leader()
			c.Kill(i)
			progress("the leader was killed")
			c.Start(i)
		}},
		{"leader cut off", func() {
			i := c.Leader()
			c.Isolate(i)
			progress("the leader was cut off")
			c.Heal(i)
		}},
		{"follower cut off", func() {
			i := (c.Leader() + 1) % 3
			c.Isolate(i)
			progress("a follower was cut off")
			c.Heal(i)
		}},
		{"flapping link", func() {
			i := c.Leader()
			for range 3 {
				c.Isolate(i)
				c.Heal(i)
			}
		}},
	} {
		f.strike()
		progress(f.name)
	}
	cancel()
	wg.Wait()
	t.Logf("%d turns, %d slots lost, at most %d at once", w.turns, lost.Load(), w.most)
	if w.overlaps > 0 {
		t.Errorf("%d times more than %d held at once: up to %d", w.overlaps, w.slots, w.most)
	}
	if lost.Load() == 0 {
		t.Error("no slot was ever lost: this shows nothing")
	}
}

// destroyHolders ends the session of whoever holds, n times.
func destroyHolders(t *testing.T, address string, n int) {
	t.Helper()
	client := newClient(t, address)
	eventually(t, "holders to destroy", func() bool {
		pairs, _, err := client.KV().List("slots/web/", nil)
		if err != nil {
			return false
		}
		for _, p := range pairs {
			var h lock.Holder
			if json.Unmarshal(p.Value, &h) != nil || !h.Holding || p.Session == "" {
				continue
			}
			if _, err := client.Session().Destroy(p.Session, nil); err == nil {
				n--
			}
		}
		return n <= 0
	})
}
