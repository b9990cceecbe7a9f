package dropship_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/lock"
)

// What the group goes on leaving alone this machine does, too: it is not installed by a retry that failed.
func TestRetryWithoutTheBoardChangesNothing(t *testing.T) {
	t.Parallel()
	b := newBoard()
	w := group(t, b, "web-01")[0]
	w.rollsBack()
	before := w.state()
	b.set(func(b *board) { b.err = errors.New("no answer") })
	freed, err := w.service.Retry(t.Context(), w.machine, "joe@web-01")
	if len(freed) != 0 || !errors.Is(err, dropship.ErrNotLifted) || !strings.Contains(err.Error(), "no answer") {
		t.Errorf("got %+v, %v, want nothing freed, and ErrNotLifted", freed, err)
	}
	if diff := cmp.Diff(before, w.state()); diff != "" {
		t.Errorf("the state changed (-before +after):\n%s", diff)
	}
	if r := w.mustUpdate(dropship.Quarantine); r.Host != "web-01" {
		t.Errorf("got %+v, want it left alone", r)
	}
	w.wantRan()
	b.set(func(b *board) { b.err = nil })
	if freed, err := w.service.Retry(t.Context(), w.machine, "joe@web-01"); err != nil || len(freed) != 1 || b.only(t).Lifted == nil {
		t.Errorf("got %+v, %v, %+v, want it lifted", freed, err, b.only(t))
	}
}

func TestRetryWithoutAGroup(t *testing.T) {
	t.Parallel()
	b := newBoard()
	w := group(t, b, "web-01")[0]
	w.rollsBack()
	w.service.Turn = nil
	if freed, err := w.service.Retry(t.Context(), w.machine, "joe@web-01"); err != nil || len(freed) != 1 || len(w.state().Quarantine) != 0 {
		t.Errorf("got %+v, %v, want it freed here", freed, err)
	}
	if b.only(t).Lifted != nil {
		t.Error("lifted for a group that the service is no part of")
	}
}

// A board that takes its time over everything: each check holds the service until it gives up. Retry waits for that,
// and then says that the board does not answer; of a process that works for longer it says that one does.
func TestRetryWaitsForACheck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := group(t, newBoard(), "web-01")[0]
		w.rollsBack()
		w.service.Turn.Locker = struct {
			*locker
			lock.Board
		}{w.locker, hanging{}}
		checking := make(chan struct{})
		go func() {
			defer close(checking)
			w.mustUpdate(dropship.Quarantine)
		}()
		synctest.Wait()
		other := dropship.NewMachine("web-01", w.machine.Store, w.machine.Logger)
		if _, err := w.service.Retry(t.Context(), other, "joe@web-01"); !errors.Is(err, dropship.ErrNotLifted) {
			t.Errorf("got %v, want ErrNotLifted", err)
		}
		<-checking
		unlock, err := w.machine.Store.Lock("web")
		if err != nil {
			t.Fatal(err)
		}
		defer unlock()
		if _, err := w.service.Retry(t.Context(), other, "joe@web-01"); !errors.Is(err, dropship.ErrServiceBusy) {
			t.Errorf("got %v, want ErrServiceBusy", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := w.service.Retry(ctx, other, "joe@web-01"); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the end of the wait", err)
		}
	})
}

// A hanging board answers nobody.
type hanging struct{}

func (hanging) Quarantined(ctx context.Context, _, _ string, _ bool) ([]lock.Quarantine, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (hanging) Quarantine(ctx context.Context, _ string, q lock.Quarantine) (lock.Quarantine, error) {
	<-ctx.Done()
	return q, ctx.Err()
}

func (hanging) Lift(ctx context.Context, _, _, _ string) ([]lock.Quarantine, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// The hold after failures is in the memory of the agent, and the retry in another process.
func TestRetryEndsWhatIsHeldBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var broken atomic.Bool
		w.service.Before = hooks.Chain{w.hook("drain", func(context.Context, hooks.Event) error {
			if broken.Load() {
				return errors.New("the balancer says no")
			}
			return nil
		})}
		w.service.After = hooks.Chain{w.hook("undrain", func(context.Context, hooks.Event) error {
			if broken.Load() {
				return errors.New("the balancer says no")
			}
			return nil
		})}
		w.source.publish(pack(t, "1"), "r1")
		w.start(w.service)
		broken.Store(true)
		w.source.publish(pack(t, "2"), "r2")
		time.Sleep(time.Hour)
		broken.Store(false)
		w.took()
		time.Sleep(70 * time.Second)
		w.wantLive("1") // held back for a quarter of an hour by now
		other := dropship.NewMachine("web-01", w.machine.Store, w.machine.Logger)
		if _, err := w.service.Retry(t.Context(), other, "joe@web-01"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(70 * time.Second)
		w.wantLive("2")
		w.wantRan("after undrain failed", "before drain update", "after undrain update")
	})
}

// A rollback that failed itself waits for another hash, or for somebody who says that it may be tried again.
func TestRetryAfterAFailedRollback(t *testing.T) {
	t.Parallel()
	broken := false
	w := newWorld(t)
	w.service.After = hooks.Chain{w.hook("check", func(context.Context, hooks.Event) error {
		if broken {
			return errors.New("database is down")
		}
		return nil
	})}
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.Updated)
	broken = true
	w.source.publish(pack(t, "2"), "r2")
	if r, _ := w.update(); r.Outcome != dropship.Failed {
		t.Fatalf("got %q", r.Outcome)
	}
	broken = false
	if _, err := w.service.Retry(t.Context(), w.machine, "joe@web-01"); err != nil {
		t.Fatal(err)
	}
	w.mustUpdate(dropship.Updated)
	w.wantLive("2")
	if st := w.state(); st.Failed != nil || st.Unfinished != nil {
		t.Errorf("the state still says failed: %+v, %+v", st.Failed, st.Unfinished)
	}
}
