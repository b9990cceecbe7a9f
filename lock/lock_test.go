package lock_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/dropship/dropship/lock"
)

// lease is a lease that can be lost.
type lease struct{ lost chan struct{} }

// errStolen is why it is lost.
var errStolen = fmt.Errorf("%w: the key was taken away", lock.ErrLost)

func (l lease) Lost() <-chan struct{}         { return l.lost }
func (l lease) Err() error                    { return errStolen }
func (l lease) Check(context.Context) error   { return nil }
func (l lease) Release(context.Context) error { return nil }

func TestWithLeaseEndsWithTheLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := lease{make(chan struct{})}
		ctx, cancel := lock.WithLease(t.Context(), l)
		defer cancel()
		synctest.Wait()
		if err := ctx.Err(); err != nil {
			t.Fatalf("while held: got %v, want a context that goes on", err)
		}
		close(l.lost)
		synctest.Wait()
		if got := context.Cause(ctx); !errors.Is(got, errStolen) {
			t.Errorf("after the loss: got cause %v, want what the lease says", got)
		}
	})
}

// Nothing may begin under a lease that is lost, not even before a goroutine has had its turn.
func TestWithLostLease(t *testing.T) {
	t.Parallel()
	l := lease{make(chan struct{})}
	close(l.lost)
	ctx, cancel := lock.WithLease(t.Context(), l)
	defer cancel()
	if got := context.Cause(ctx); !errors.Is(got, errStolen) {
		t.Errorf("got cause %v at once, want what the lease says", got)
	}
}

func TestWithLeaseEndsWithItsParent(t *testing.T) {
	t.Parallel()
	// synctest fails the test if a goroutine is left behind.
	synctest.Test(t, func(t *testing.T) {
		shutdown := errors.New("shutdown")
		parent, stop := context.WithCancelCause(t.Context())
		ctx, cancel := lock.WithLease(parent, lease{make(chan struct{})})
		defer cancel()
		stop(shutdown)
		synctest.Wait()
		if got := context.Cause(ctx); !errors.Is(got, shutdown) {
			t.Errorf("got cause %v, want the parent's", got)
		}
	})
}

func TestWithLeaseCancel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := lock.WithLease(t.Context(), lease{make(chan struct{})})
		cancel()
		synctest.Wait()
		if got := context.Cause(ctx); !errors.Is(got, context.Canceled) || errors.Is(got, lock.ErrLost) {
			t.Errorf("got cause %v, want context.Canceled", got)
		}
	})
}

func TestErrors(t *testing.T) {
	t.Parallel()
	cause := errors.New("the agent stops")
	other := lock.Holder{Host: "web-07", PID: 12, Service: "shop", Slots: 2}
	busy := &lock.BusyError{Group: "web", Ahead: []lock.Holder{other, {Host: "web-12", PID: 3, Service: "cart"}}, Cause: cause}
	if !errors.Is(busy, lock.ErrBusy) || !errors.Is(busy, cause) || errors.Is(busy, lock.ErrLost) {
		t.Errorf("got %v, want ErrBusy and its cause", busy)
	}
	long := &lock.BusyError{Group: "web", Cause: cause}
	for i := range 200 {
		long.Ahead = append(long.Ahead, lock.Holder{Host: fmt.Sprintf("web-%03d", i), PID: 1, Service: "web"})
	}
	slots := &lock.SlotsError{Group: "web", Slots: 1, Other: other}
	for _, test := range []struct {
		err   error
		parts []string
	}{
		{busy, []string{"web-07 (pid 12, service shop), web-12 (pid 3, service cart)", "slot of web", "the agent stops"}},
		{long, []string{"waiting behind web-000 (pid 1, service web), web-001 (pid 1, service web), web-002 (pid 1, service web) and 197 more: the agent stops"}},
		{slots, []string{"group web is 1 here and 2 on web-07"}},
	} {
		for _, part := range test.parts {
			if !strings.Contains(test.err.Error(), part) {
				t.Errorf("got %q, want %q in it", test.err, part)
			}
		}
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		group string
		slots int
		ok    bool
	}{
		{"web", 1, true},
		{"9", 3, true},
		{"My-app_2.0", 1, true},
		{"", 1, false},
		{"..", 1, false},
		{"-web", 1, false},
		{"web/a", 1, false},
		{"web a", 1, false},
		{"wéb", 1, false},
		{"web\n", 1, false},
		{"web", 0, false},
		{"web", -1, false},
	} {
		err := lock.Request{Group: test.group, Slots: test.slots}.Validate()
		if (err == nil) != test.ok {
			t.Errorf("%q with %d slots: got %v, want ok %t", test.group, test.slots, err, test.ok)
		}
	}
}
