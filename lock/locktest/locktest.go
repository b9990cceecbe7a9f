// Package locktest is what every locker must pass: it tests what the comments in package lock promise.
package locktest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dropship/dropship/lock"
)

// patience is how long something may take that should happen at once. A locker whose leftovers expire
// does that later than this, so that what was left behind is seen.
const patience = 30 * time.Second

// A Suite is one kind of locker, and what its tests need.
type Suite struct {
	// New returns a locker like that of another machine: all that one test asks for share a store. It is
	// called several times.
	New func(t *testing.T) lock.Locker
	// Unreachable returns a locker whose store does not answer or cannot be used.
	Unreachable func(t *testing.T) lock.Locker
	// Steal takes the only slot of group away from its holder, as an operator would in the store.
	Steal func(t *testing.T, group string)
	// Ordered says that turns are given in order of arrival.
	Ordered bool
}

// Run runs the suite. It prints the name of the locker, so that a run shows what was tested.
func Run(t *testing.T, s Suite) {
	t.Logf("locker: %s", s.New(t))
	for _, test := range []struct {
		name string
		run  func(*testing.T, Suite)
	}{
		{"NamesItself", testNamesItself},
		{"BadRequest", testBadRequest},
		{"MutualExclusion", testMutualExclusion},
		{"NeverMoreThanSlots", testNeverMoreThanSlots},
		{"AllSlotsAreUsed", testAllSlotsAreUsed},
		{"OrderOfArrival", testOrderOfArrival},
		{"GroupsAreIndependent", testGroupsAreIndependent},
		{"ServicesShareGroup", testServicesShareGroup},
		{"OneProcessSeveralRequests", testOneProcessSeveralRequests},
		{"TellsWhoIsAhead", testTellsWhoIsAhead},
		{"CancelledWhileWaiting", testCancelledWhileWaiting},
		{"DeadlineWhileWaiting", testDeadlineWhileWaiting},
		{"CancelledBefore", testCancelledBefore},
		{"SlotsDisagree", testSlotsDisagree},
		{"Release", testRelease},
		{"ReleaseLetsNextIn", testReleaseLetsNextIn},
		{"Loss", testLoss},
		{"LossEndsWork", testLossEndsWork},
		{"Unreachable", testUnreachable},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, s)
		})
	}
}

// newGroup returns the name of a group that nobody else uses.
func newGroup(t *testing.T) string {
	name := t.Name()
	return strings.ToLower(name[strings.LastIndex(name, "/")+1:]) + "-" + strings.ToLower(rand.Text()[:10])
}

// request asks as if it came from another machine.
func request(group string, slots int, host string) lock.Request {
	return lock.Request{Group: group, Slots: slots, Holder: lock.Holder{
		Host: host, PID: 4711, Service: "shop", Hash: "0cc175b9c0f1b6a831c399e269772661", UpdateID: "u-" + host,
	}}
}

// acquire gets a slot that must come soon.
func acquire(t *testing.T, l lock.Locker, req lock.Request) lock.Lease {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	lease, err := l.Acquire(ctx, req)
	if err != nil {
		t.Fatalf("Acquire by %s: got %v, want a slot", req.Holder.Host, err)
	}
	t.Cleanup(func() { _ = lease.Release(context.Background()) })
	return lease
}

func release(t *testing.T, lease lock.Lease) {
	t.Helper()
	if err := lease.Release(t.Context()); err != nil {
		t.Fatalf("Release: got %v, want nil", err)
	}
}

// A waiter is an Acquire that goes on in the background.
type waiter struct {
	told   chan []lock.Holder // each call of Waiting
	cancel context.CancelCauseFunc
	done   chan struct{}
	lease  lock.Lease // after done
	err    error      // after done
}

// wait starts an Acquire and returns when it stands in line.
func wait(ctx context.Context, t *testing.T, l lock.Locker, req lock.Request) *waiter {
	t.Helper()
	ctx, cancel := context.WithCancelCause(ctx)
	w := &waiter{told: make(chan []lock.Holder, 1000), cancel: cancel, done: make(chan struct{})}
	req.Waiting = func(ahead []lock.Holder) { w.told <- ahead }
	go func() {
		defer close(w.done)
		w.lease, w.err = l.Acquire(ctx, req)
	}()
	t.Cleanup(func() {
		cancel(context.Canceled)
		<-w.done
		if w.lease != nil {
			_ = w.lease.Release(context.Background())
		}
	})
	w.ahead(t)
	return w
}

// ahead returns what Waiting was told next.
func (w *waiter) ahead(t *testing.T) []lock.Holder {
	t.Helper()
	select {
	case ahead := <-w.told:
		return ahead
	case <-w.done:
		t.Fatalf("Acquire: got (%v, %v), want it to wait", w.lease, w.err)
	case <-time.After(patience):
		t.Fatalf("Waiting was not called within %s", patience)
	}
	return nil
}

// end returns what Acquire returned, which must be soon.
func (w *waiter) end(t *testing.T) (lock.Lease, error) {
	t.Helper()
	select {
	case <-w.done:
	case <-time.After(patience):
		t.Fatalf("Acquire did not return within %s", patience)
	}
	return w.lease, w.err
}

// A room counts who is in it.
type room struct {
	mu             sync.Mutex
	inside, most   int
	limit, entered int
}

func (r *room) enter() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inside++
	r.entered++
	r.most = max(r.most, r.inside)
	if r.inside > r.limit {
		return fmt.Errorf("%d hold at once, want at most %d", r.inside, r.limit)
	}
	return nil
}

func (r *room) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inside--
}

// visit takes a slot, enters the room, asks whether the slot is still held, and leaves.
func visit(ctx context.Context, l lock.Locker, req lock.Request, r *room) error {
	lease, err := l.Acquire(ctx, req)
	if err != nil {
		return err
	}
	err = r.enter()
	err = errors.Join(err, lease.Check(ctx))
	r.leave()
	return errors.Join(err, lease.Release(ctx))
}

// visits has each of n machines visit the room several times, all at once.
func visits(t *testing.T, s Suite, group func(machine int) string, rooms map[string]*room, n, rounds int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*patience) // a locker that is broken fails, and does not hang
	defer cancel()
	var wg sync.WaitGroup
	for i := range n {
		l := s.New(t)
		wg.Go(func() {
			for range rounds {
				g := group(i)
				if err := visit(ctx, l, request(g, rooms[g].limit, fmt.Sprintf("web-%02d", i)), rooms[g]); err != nil {
					t.Errorf("web-%02d: %v", i, err)
					return
				}
			}
		})
	}
	wg.Wait()
}
