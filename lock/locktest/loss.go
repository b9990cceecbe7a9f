package locktest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/dropship/dropship/lock"
)

func testRelease(t *testing.T, s Suite) {
	lease := acquire(t, s.New(t), request(newGroup(t), 1, "web-01"))
	if err := lease.Check(t.Context()); err != nil {
		t.Errorf("Check while held: got %v, want nil", err)
	}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if err := lease.Release(t.Context()); err != nil {
				t.Errorf("Release, several times at once: got %v, want nil", err)
			}
		})
	}
	wg.Wait()
	if err := lease.Release(t.Context()); err != nil {
		t.Errorf("Release once more: got %v, want nil", err)
	}
	if err := lease.Check(t.Context()); !errors.Is(err, lock.ErrLost) {
		t.Errorf("Check after Release: got %v, want ErrLost", err)
	}
	select {
	case <-lease.Lost():
		t.Error("Lost was closed by Release")
	default:
	}
	if err := lease.Err(); err != nil {
		t.Errorf("Err after Release: got %v, want nil", err)
	}
}

func testReleaseLetsNextIn(t *testing.T, s Suite) {
	g := newGroup(t)
	l := s.New(t)
	for range 5 {
		lease := acquire(t, l, request(g, 1, "web-01"))
		w := wait(t.Context(), t, s.New(t), request(g, 1, "web-02"))
		release(t, lease)
		next, err := w.end(t)
		if err != nil {
			t.Fatalf("the next in line: got %v, want the slot", err)
		}
		release(t, next)
	}
}

func testLoss(t *testing.T, s Suite) {
	g := newGroup(t)
	lease := acquire(t, s.New(t), request(g, 1, "web-01"))
	if err := lease.Err(); err != nil {
		t.Errorf("Err while held: got %v, want nil", err)
	}
	s.Steal(t, g)
	lost(t, lease)
	if err := lease.Err(); !errors.Is(err, lock.ErrLost) || err.Error() == lock.ErrLost.Error() {
		t.Errorf("Err after the loss: got %v, want ErrLost and why", err)
	}
	if err := lease.Check(t.Context()); !errors.Is(err, lock.ErrLost) {
		t.Errorf("Check after the loss: got %v, want ErrLost", err)
	}
	next := acquire(t, s.New(t), request(g, 1, "web-02"))
	// The one that lost it cannot give back what is another's now.
	for range 2 {
		release(t, lease)
	}
	if err := next.Check(t.Context()); err != nil {
		t.Errorf("Check of the next holder: got %v, want nil", err)
	}
	if err := lease.Check(t.Context()); !errors.Is(err, lock.ErrLost) {
		t.Errorf("Check after the loss and Release: got %v, want ErrLost", err)
	}
}

// testLossEndsWork: a stolen slot shows in Check even before anything in the background has noticed, and
// ends the context of the work.
func testLossEndsWork(t *testing.T, s Suite) {
	g := newGroup(t)
	lease := acquire(t, s.New(t), request(g, 1, "web-01"))
	ctx, cancel := lock.WithLease(t.Context(), lease)
	defer cancel()
	s.Steal(t, g)
	if err := lease.Check(t.Context()); !errors.Is(err, lock.ErrLost) {
		t.Errorf("Check: got %v, want ErrLost", err)
	}
	lost(t, lease)
	select {
	case <-ctx.Done():
	case <-time.After(patience):
		t.Fatal("the context of the work goes on")
	}
	if cause := context.Cause(ctx); fmt.Sprint(cause) != fmt.Sprint(lease.Err()) {
		t.Errorf("the cause is %v, want %v", cause, lease.Err())
	}
	late, cancel := lock.WithLease(t.Context(), lease)
	defer cancel()
	if late.Err() == nil {
		t.Error("a context made after the loss has not ended at once")
	}
}

// lost waits until the lease says that it is lost.
func lost(t *testing.T, lease lock.Lease) {
	t.Helper()
	select {
	case <-lease.Lost():
	case <-time.After(patience):
		t.Fatalf("Lost was not closed within %s", patience)
	}
}
