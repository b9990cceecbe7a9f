package dropship_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/lock"
)

// A sleeper is a lock service that answers nobody as long as it sleeps.
type sleeper struct {
	*locker
	*board
	slots, quarantine atomic.Bool // of which it sleeps
}

func (s *sleeper) Acquire(ctx context.Context, req lock.Request) (lock.Lease, error) {
	if s.slots.Load() {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	return s.locker.Acquire(ctx, req)
}

func (s *sleeper) Quarantined(ctx context.Context, group, service string, stale bool) ([]lock.Quarantine, error) {
	if s.quarantine.Load() {
		<-ctx.Done()
		return nil, context.Cause(ctx)
	}
	return s.board.Quarantined(ctx, group, service, stale)
}

// What failed is said to be tried again at a time to come, and what is tried just now, to be tried: by whom nobody
// answers, and since when.
func TestReasonWhileWhatFailedIsTriedAgain(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		fails func(w *world, s *sleeper) // from the second version on
		hangs func(s *sleeper)           // from then on
		code  dropship.ReasonCode
		want  []string
	}{
		{
			"nobody gives a slot after hooks failed",
			func(w *world, _ *sleeper) { w.service.Before = hooks.Chain{w.hook("stop", failing)} },
			func(s *sleeper) { s.slots.Store(true) },
			dropship.ReasonUpdating,
			[]string{"is under way since ", ": asking locker in memory for a slot of group web, since "},
		},
		{
			"nobody says what is quarantined after hooks failed",
			func(w *world, _ *sleeper) { w.service.Before = hooks.Chain{w.hook("stop", failing)} },
			func(s *sleeper) { s.quarantine.Store(true) },
			dropship.ReasonBackingOff,
			[]string{"failing since " + bubbleStart + ": before hook 1, stop: it fails (trying again: asking locker in memory what is quarantined for group web, after a check at "},
		},
		{
			"nobody gives a slot, as before",
			func(_ *world, s *sleeper) { s.locker.err = errors.New("connection refused") },
			func(s *sleeper) { s.slots.Store(true) },
			dropship.ReasonLock,
			[]string{"no slot since " + bubbleStart + ": connection refused (trying again: asking locker in memory for a slot of group web, since "},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				s := &sleeper{locker: w.locker, board: newBoard()}
				w.service.Turn = &dropship.Turn{Locker: s, Group: "web", Slots: 1}
				w.source.publish(pack(t, "1"), "r1")
				w.mustUpdate(dropship.Updated)
				w.source.publish(pack(t, "2"), "r2")
				test.fails(w, s)
				a, _ := w.start(w.service)
				heard := false
				for i := range 40 * 60 {
					if i == 5*60 {
						test.hangs(s)
					}
					synctest.Wait()
					r := status(t, a).Reason
					if !r.Until.IsZero() && r.Until.Before(time.Now()) {
						t.Fatalf("at %s: got %+v, which says that it is over", time.Now(), r)
					}
					found := r.Code == test.code
					for _, want := range test.want {
						found = found && strings.Contains(r.Text, want)
					}
					heard = heard || found
					time.Sleep(time.Second)
				}
				if !heard {
					t.Errorf("never heard %q, but in the end %+v", test.want, status(t, a).Reason)
				}
			})
		})
	}
}

func failing(_ context.Context, ev hooks.Event) error {
	if ev.Status == hooks.StatusFailed {
		return nil
	}
	return errors.New("it fails")
}

// Since when something fails is told of that, and not of what failed before it.
func TestReasonSinceWhen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.takesTurns()
		w.source.publish(pack(t, "1"), "r1")
		w.source.set(func(s *source) { s.err = errors.New("connection refused") })
		a, _ := w.start(w.service)
		time.Sleep(5 * time.Minute)
		w.locker.mu.Lock()
		w.locker.err = errors.New("consul is down")
		w.locker.mu.Unlock()
		w.source.set(func(s *source) { s.err = nil })
		mended := time.Now()
		time.Sleep(5 * time.Minute)
		st := status(t, a)
		if r := st.Reason; r.Code != dropship.ReasonLock || r.Since.Before(mended) || r.Since.After(mended.Add(2*time.Minute)) ||
			!strings.HasPrefix(r.Text, "no slot since "+dropship.LocalTime(r.Since)+": consul is down") {
			t.Errorf("got %+v, want no slot since soon after %s", r, mended)
		}
		if got := st.LastCheck.FailingSince; got.After(mended) {
			t.Errorf("failing since %s, want since the first failure", got)
		}
	})
}
