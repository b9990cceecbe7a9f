package dropship_test

import (
	"context"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
)

// killAt returns a step in which the process dies the first time it runs at that status.
func (w *world) killAt(name string, status hooks.Status) hooks.Step {
	died := false
	return w.hook(name, func(_ context.Context, ev hooks.Event) error {
		if !died && ev.Status == status {
			died = true
			runtime.Goexit()
		}
		return nil
	})
}

func TestKilledInTheBeforeChainIsUndone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.Updated)
	w.service.Before = hooks.Chain{w.hook("maintenance on", nil), w.killAt("stop", hooks.StatusUpdate)}
	w.service.After = hooks.Chain{w.hook("start", nil), w.hook("maintenance off", nil)}
	w.source.publish(pack(t, "2"), "r2")
	w.killed()
	w.wantLive("1")
	w.took()

	w.source.counts()
	w.mustUpdate(dropship.Recovered)
	w.wantRan("after start failed", "after maintenance off failed")
	w.wantLive("1")
	w.mustUpdate(dropship.Updated)
	w.wantLive("2")
	if _, opens := w.source.counts(); opens != 0 {
		t.Errorf("got %d downloads, want what was staged before the kill", opens)
	}
}

func TestKilledWhileStagingLeavesNothingUnknown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.Updated)
	w.source.publish(pack(t, "2"), "r2")
	w.source.onOpen = runtime.Goexit
	w.killed()
	w.source.onOpen = nil
	w.mustUpdate(dropship.Updated)
	w.wantLive("2")
	folders, err := filepath.Glob(filepath.Join(filepath.Dir(w.service.Site.Destination()), ".web.dropship", "*", "release.json"))
	stages, serr := filepath.Glob(filepath.Join(filepath.Dir(w.service.Site.Destination()), ".web.dropship", "stage-*"))
	if err != nil || serr != nil || len(folders) != 2 || len(stages) != 0 {
		t.Errorf("beside the destination: got %v and %v, want the two releases", folders, stages)
	}
}

// A stage that the state tells of and that is not on disk is made again.
func TestStagedReleaseThatIsGoneIsStagedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.takesTurns()
	w.source.publish(pack(t, "1"), "r1")
	w.locker.err = context.DeadlineExceeded
	_, _ = w.update()
	st := w.state()
	if st.Staged == nil {
		t.Fatal("nothing is staged")
	}
	if err := w.service.Site.Remove(st.Staged.ID); err != nil {
		t.Fatal(err)
	}
	w.locker.err = nil
	w.mustUpdate(dropship.Updated)
	w.wantLive("1")
}

func TestKilledInTheAfterChainIsCompleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.Updated)
	w.service.Before = hooks.Chain{w.hook("stop", nil)}
	w.service.After = hooks.Chain{w.hook("start", nil), w.hook("event", nil), w.killAt("check", hooks.StatusUpdate), w.hook("maintenance off", nil)}
	w.source.publish(pack(t, "2"), "r2")
	w.killed()
	w.wantLive("2")
	w.took()

	w.mustUpdate(dropship.Recovered)
	w.wantRan("after check update", "after maintenance off update") // not the event a second time
	w.mustUpdate(dropship.UpToDate)
	w.wantLive("2")
}

// A mark on a graph that is missing does less harm than one that is there twice.
func TestKilledInAnAnnouncementDoesNotRepeatIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	announce := w.killAt("announce", hooks.StatusUpdate)
	announce.When, announce.OnError = hooks.Success, hooks.Continue
	w.service.After = hooks.Chain{w.hook("start", nil), announce, w.hook("end maintenance", nil)}
	w.source.publish(pack(t, "1"), "r1")
	w.killed()
	w.took()
	w.mustUpdate(dropship.Recovered)
	w.wantRan("after end maintenance update")
}

// What has run is known by the hooks' names: a chain that is another one at the next start runs whole.
func TestKilledInAChainThatIsAnotherOneAfterwards(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.service.After = hooks.Chain{w.hook("warm up", nil), w.hook("migrate", nil), w.killAt("start", hooks.StatusUpdate)}
	w.source.publish(pack(t, "1"), "r1")
	w.killed()
	w.took()
	w.service.After = hooks.Chain{w.hook("start", nil), w.hook("check", nil), w.hook("announce", nil)}
	w.mustUpdate(dropship.Recovered)
	w.wantRan("after start update", "after check update", "after announce update")
}

// A disk that is full, or a state directory that is gone, must not make hooks run again and again.
func TestRecoveryThatCannotBeRecordedRunsNoHook(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.service.After = hooks.Chain{w.killAt("start", hooks.StatusUpdate)}
	w.source.publish(pack(t, "1"), "r1")
	w.killed()
	w.took()
	unblock := w.blockState()
	for range 3 {
		if _, err := w.update(); stepOf(t, err) != dropship.StepState {
			t.Errorf("got %v, want an error at the state", err)
		}
	}
	w.wantRan()
	unblock()
	w.mustUpdate(dropship.Recovered)
	w.wantRan("after start update")
}

func TestKilledAfterTheSwitchAndBrokenIsRolledBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.Updated)
	w.service.After = hooks.Chain{w.killAt("start", hooks.StatusUpdate), w.brokenAt("bad")}
	w.source.publish(pack(t, "bad"), "r2")
	w.killed()
	w.wantLive("bad")
	if r, _ := w.update(); r.Outcome != dropship.RolledBack {
		t.Errorf("got %q", r.Outcome)
	}
	w.wantLive("1")
	w.mustUpdate(dropship.Quarantine)
}

// What is left of an interrupted update needs no turn; a rollback, which stops the application again, does.
func TestRecoveryTakesATurnOnlyToRollBack(t *testing.T) {
	t.Parallel()
	for version, turns := range map[string]int{"good": 0, "bad": 1} {
		w := newWorld(t)
		w.source.publish(pack(t, "1"), "r1")
		w.mustUpdate(dropship.Updated)
		w.takesTurns()
		w.service.After = hooks.Chain{w.killAt("start", hooks.StatusUpdate), w.brokenAt("bad")}
		w.source.publish(pack(t, version), "r2")
		w.killed()
		w.locker.acquired, w.locker.released = 0, 0
		_, _ = w.update()
		if w.locker.acquired != turns || w.locker.released != turns {
			t.Errorf("%s: got %d slots acquired and %d released, want %d", version, w.locker.acquired, w.locker.released, turns)
		}
	}
}

func TestKilledInARollback(t *testing.T) {
	t.Parallel()
	for _, phase := range []hooks.Phase{hooks.Before, hooks.After} {
		w := newWorld(t)
		w.source.publish(pack(t, "1"), "r1")
		w.mustUpdate(dropship.Updated)
		w.service.Before = hooks.Chain{w.hook("stop", nil)}
		w.service.After = hooks.Chain{w.hook("start", nil), w.brokenAt("bad"), w.hook("maintenance off", nil)}
		if phase == hooks.Before {
			w.service.Before = append(w.service.Before, w.killAt("die", hooks.StatusRollback))
		} else {
			w.service.After = append(w.service.After, w.killAt("die", hooks.StatusRollback))
		}
		w.source.publish(pack(t, "bad"), "r2")
		w.killed()
		w.took()
		if r, err := w.update(); r.Outcome != dropship.RolledBack || err == nil {
			t.Errorf("got %q, %v, want the rollback to be told", r.Outcome, err)
		}
		w.wantLive("1")
		if phase == hooks.After {
			w.wantRan("after die rollback")
		} else {
			w.wantRan("before stop rollback", "before die rollback", "after start rollback", "after check rollback", "after maintenance off rollback")
		}
		w.mustUpdate(dropship.Quarantine)
		if w.state().Journal != nil {
			t.Error("the journal outlived the recovery")
		}
	}
}

func TestKilledWhilePuttingThingsInOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.Updated)
	w.service.Before = hooks.Chain{w.hook("stop", func(context.Context, hooks.Event) error { return context.DeadlineExceeded })}
	w.service.After = hooks.Chain{w.hook("start", nil), w.killAt("maintenance off", hooks.StatusFailed)}
	w.source.publish(pack(t, "2"), "r2")
	w.killed()
	w.took()
	w.mustUpdate(dropship.Recovered)
	w.wantRan("after maintenance off failed")
	w.wantLive("1")
}

// The end of a maintenance that fails, while Consul is down, is not forgotten: nor is it after a restart, nor
// because the artifact that failed is gone.
func TestWhatCouldNotBePutInOrderIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.service.CheckInterval = time.Minute
		w.source.publish(pack(t, "1"), "r1")
		w.mustUpdate(dropship.Updated)
		var down atomic.Bool
		down.Store(true)
		w.service.Before = hooks.Chain{w.hook("stop", func(context.Context, hooks.Event) error { return context.DeadlineExceeded })}
		w.service.After = hooks.Chain{w.hook("start", nil), w.hook("maintenance off", func(context.Context, hooks.Event) error {
			if down.Load() {
				return context.DeadlineExceeded
			}
			return nil
		}), w.hook("announce", nil)}
		w.source.publish(pack(t, "2"), "r2")
		if r, _ := w.update(); r.Outcome != dropship.GivenUp {
			t.Fatalf("got %q", r.Outcome)
		}
		w.source.publish(pack(t, "1"), "r1")
		w.took()
		w.restart()
		upToDate := func() {
			t.Helper()
			if r, err := w.update(); r.Outcome != dropship.UpToDate || stepOf(t, err) != dropship.StepAfter {
				t.Errorf("got %q, %v, want up to date, and not in order", r.Outcome, err)
			}
		}
		upToDate()
		w.wantRan() // not yet
		time.Sleep(w.service.CheckInterval)
		upToDate()
		w.wantRan("after maintenance off failed") // that alone

		_, stop := w.start(w.service)
		time.Sleep(24 * time.Hour)
		if ran := len(w.took()); ran > 110 || ran < 50 {
			t.Errorf("ran %d times in a day, want about 100", ran)
		}
		down.Store(false)
		time.Sleep(20 * time.Minute)
		w.wantRan("after maintenance off failed")
		time.Sleep(time.Hour)
		w.wantRan()
		stop()
		if w.state().Unfinished != nil {
			t.Error("still unfinished")
		}
		if got := strings.Count(w.log.String(), "trouble is over"); got != 1 {
			t.Errorf("the trouble was over %d times, want once", got)
		}
		w.mustUpdate(dropship.UpToDate)
	})
}

func TestWhatIsUnfinishedDoesNotRunWhereNothingCanBeRecorded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.source.publish(pack(t, "1"), "r1")
		w.mustUpdate(dropship.Updated)
		w.service.Before = hooks.Chain{w.hook("stop", func(context.Context, hooks.Event) error { return context.DeadlineExceeded })}
		w.service.After = hooks.Chain{w.hook("start", func(context.Context, hooks.Event) error { return context.DeadlineExceeded })}
		w.source.publish(pack(t, "2"), "r2")
		_, _ = w.update()
		w.source.publish(pack(t, "1"), "r1")
		w.took()
		w.blockState()
		_, stop := w.start(w.service)
		time.Sleep(time.Hour)
		stop()
		w.wantRan()
	})
}

// The next update runs the whole chain, so nothing is left over from the one before.
func TestNextUpdateTakesOverWhatIsUnfinished(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	broken := true
	w.service.After = hooks.Chain{w.hook("start", nil), w.hook("check", func(context.Context, hooks.Event) error {
		if broken {
			return context.DeadlineExceeded
		}
		return nil
	}), w.hook("maintenance off", func(context.Context, hooks.Event) error {
		if broken {
			return context.DeadlineExceeded
		}
		return nil
	})}
	w.source.publish(pack(t, "1"), "r1")
	if r, _ := w.update(); r.Outcome != dropship.Failed {
		t.Fatalf("got %q", r.Outcome)
	}
	if got := w.state().Unfinished; got == nil || !slices.Equal(got.Names(), []string{"check", "maintenance off"}) {
		t.Errorf("unfinished: got %+v", got)
	}
	broken = false
	w.source.publish(pack(t, "2"), "r2")
	w.mustUpdate(dropship.Updated)
	if w.state().Unfinished != nil {
		t.Error("still unfinished")
	}
}

func TestKilledAfterAFailedRollbackStaysFailed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.Updated)
	w.service.After = hooks.Chain{w.hook("check", func(context.Context, hooks.Event) error { return context.DeadlineExceeded }), w.killAt("maintenance off", hooks.StatusFailed)}
	w.source.publish(pack(t, "2"), "r2")
	w.killed()
	w.took()
	if r, err := w.update(); r.Outcome != dropship.Failed || err == nil {
		t.Errorf("got %q, %v, want the failure to be told", r.Outcome, err)
	}
	w.wantRan("after maintenance off failed")
	if st := w.state(); st.Failed == nil || st.Journal != nil {
		t.Errorf("got failed %+v, journal %+v", st.Failed, st.Journal)
	}
	w.mustUpdate(dropship.Quarantine)
}

// The machine's date was set back between the update and its recovery.
func TestRecoveryTakesNoNegativeTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.Updated)
	w.service.After = hooks.Chain{w.killAt("start", hooks.StatusUpdate), w.brokenAt("bad")}
	w.source.publish(pack(t, "bad"), "r-bad")
	w.killed()
	st := w.state()
	st.Journal.Started = time.Now().Add(time.Hour)
	if err := w.machine.Store.Save(st); err != nil {
		t.Fatal(err)
	}
	if r, err := w.update(); r.Outcome != dropship.RolledBack || r.Took != 0 {
		t.Errorf("got %q, %v, after %s; want it rolled back after no time", r.Outcome, err, r.Took)
	}
}
