package locktest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dropship/dropship/lock"
)

func testTellsWhoIsAhead(t *testing.T, s Suite) {
	g := newGroup(t)
	first := request(g, 1, "web-01")
	acquire(t, s.New(t), first)
	before := time.Now()
	told := make(chan []lock.Holder, 100)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	second := request(g, 1, "web-02")
	second.Waiting = func(ahead []lock.Holder) {
		told <- ahead
		cancel()
	}
	_, err := s.New(t).Acquire(ctx, second)
	want := first.Holder
	want.Slots, want.Holding = 1, true
	for where, ahead := range map[string][]lock.Holder{"Waiting": <-told, "BusyError": busy(t, err).Ahead} {
		if diff := cmp.Diff([]lock.Holder{want}, ahead, cmpopts.IgnoreFields(lock.Holder{}, "Since")); diff != "" {
			t.Errorf("%s was told (-want +got):\n%s", where, diff)
			continue
		}
		if since := ahead[0].Since; since.IsZero() || since.After(before) {
			t.Errorf("%s: got since %s, want when web-01 came into line, before %s", where, since, before)
		}
	}
}

// busy returns err as a *lock.BusyError, which it must be.
func busy(t *testing.T, err error) *lock.BusyError {
	t.Helper()
	var b *lock.BusyError
	if !errors.As(err, &b) || !errors.Is(err, lock.ErrBusy) {
		t.Fatalf("got %v, want a *lock.BusyError that is ErrBusy", err)
	}
	return b
}

func testCancelledWhileWaiting(t *testing.T, s Suite) {
	g := newGroup(t)
	first := acquire(t, s.New(t), request(g, 1, "web-01"))
	second := wait(t.Context(), t, s.New(t), request(g, 1, "web-02"))
	third := wait(t.Context(), t, s.New(t), request(g, 1, "web-03"))

	shutdown := errors.New("the agent stops")
	second.cancel(shutdown)
	lease, err := second.end(t)
	if b := busy(t, err); lease != nil || b.Group != g || !errors.Is(err, shutdown) {
		t.Errorf("got (%v, %v), want no lease and the cause of the context, for group %s", lease, err, g)
	}
	if len(busy(t, err).Ahead) == 0 || busy(t, err).Ahead[0].Host != "web-01" {
		t.Errorf("got ahead %v, want web-01 first", busy(t, err).Ahead)
	}

	// Nothing of the one that gave up is in the way of the one behind it, nor of one that comes now.
	release(t, first)
	lease, err = third.end(t)
	if err != nil {
		t.Fatalf("the next in line: got %v, want the slot", err)
	}
	release(t, lease)
	acquire(t, s.New(t), request(g, 1, "web-04"))
}

func testDeadlineWhileWaiting(t *testing.T, s Suite) {
	g := newGroup(t)
	acquire(t, s.New(t), request(g, 1, "web-01"))
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second) // by then it waits, also on a busy machine
	defer cancel()
	_, err := wait(ctx, t, s.New(t), request(g, 1, "web-02")).end(t)
	if b := busy(t, err); !errors.Is(b, context.DeadlineExceeded) {
		t.Errorf("got %v, want context.DeadlineExceeded in it", err)
	}
}

func testCancelledBefore(t *testing.T, s Suite) {
	g := newGroup(t)
	shutdown := errors.New("the agent stops")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(shutdown)
	lease, err := s.New(t).Acquire(ctx, request(g, 1, "web-01"))
	if lease != nil || !errors.Is(err, shutdown) || errors.Is(err, lock.ErrBusy) {
		t.Errorf("got (%v, %v), want the cause alone: it was not waiting for others", lease, err)
	}
	acquire(t, s.New(t), request(g, 1, "web-02"))
}

func testUnreachable(t *testing.T, s Suite) {
	// The context's end is far beyond patience: it must not be what ends the attempt.
	ctx, cancel := context.WithTimeout(t.Context(), 10*patience)
	defer cancel()
	start := time.Now()
	lease, err := s.Unreachable(t).Acquire(ctx, request(newGroup(t), 1, "web-01"))
	if lease != nil || err == nil || errors.Is(err, lock.ErrBusy) || ctx.Err() != nil {
		t.Errorf("got (%v, %v), want no lease and an error that is not ErrBusy", lease, err)
	}
	if took := time.Since(start); took > 2*patience {
		t.Errorf("it took %s, want it soon", took)
	}
}
