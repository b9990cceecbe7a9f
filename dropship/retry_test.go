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
)

func TestRetryWithoutTheBoard(t *testing.T) {
	t.Parallel()
	b := newBoard()
	w := group(t, b, "web-01")[0]
	w.rollsBack()
	unlock, err := w.machine.Store.Lock("web")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.service.Retry(t.Context(), w.machine, "joe@web-01"); !errors.Is(err, dropship.ErrServiceBusy) {
		t.Errorf("got %v, want ErrServiceBusy", err)
	}
	unlock()
	b.set(func(b *board) { b.err = errors.New("no answer") })
	freed, err := w.service.Retry(t.Context(), w.machine, "joe@web-01")
	if len(freed) != 1 || !errors.Is(err, dropship.ErrNotLifted) || !strings.Contains(err.Error(), "no answer") {
		t.Errorf("got %+v, %v, want it freed here, and ErrNotLifted", freed, err)
	}
	if got := w.state().Quarantine; len(got) != 0 {
		t.Errorf("still quarantined here: %+v", got)
	}
	b.set(func(b *board) { b.err = nil })
	if r := w.mustUpdate(dropship.Quarantine); r.Host != "web-01" {
		t.Errorf("got %+v, want the group's", r)
	}
	// Without a turn there is no group.
	w.service.Turn = nil
	if freed, err := w.service.Retry(t.Context(), w.machine, "joe@web-01"); err != nil || len(freed) != 1 {
		t.Errorf("got %+v, %v", freed, err)
	}
	if b.only(t).Lifted != nil {
		t.Error("lifted for a group that the service is no part of")
	}
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
