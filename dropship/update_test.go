package dropship_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/install"
	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/lock"
)

// stepOf returns the step at which an update ended.
func stepOf(t *testing.T, err error) dropship.Step {
	t.Helper()
	var step *dropship.StepError
	if !errors.As(err, &step) {
		t.Fatalf("got error %v, want a StepError", err)
	}
	return step.Step
}

func TestUpdateInstallsWhatIsNew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.service.Before = hooks.Chain{w.hook("stop", nil)}
	w.service.After = hooks.Chain{w.hook("start", nil)}
	for _, version := range []string{"1", "2", "3"} {
		data := pack(t, version)
		w.source.publish(data, "rev-"+version)
		r := w.mustUpdate(dropship.Updated)
		if got, want := r.Hash, md5Hex(data); got != want {
			t.Errorf("hash: got %s, want %s", got, want)
		}
		w.wantLive(version)
		w.wantRan("before stop update", "after start update")
		if w.state().Journal != nil {
			t.Error("the journal outlived the update")
		}
	}
}

func TestCheckThatFindsNothingIsOneSmallRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.Updated)
	w.source.counts()
	for range 20 {
		w.mustUpdate(dropship.UpToDate)
	}
	stats, opens := w.source.counts()
	if stats != 20 || opens != 0 {
		t.Errorf("20 checks: got %d stats and %d opens, want 20 and 0", stats, opens)
	}
}

func TestSameBytesUnderANewRevisionAreNotInstalledAgain(t *testing.T) {
	t.Parallel()
	for _, noMD5 := range []bool{false, true} {
		w := newWorld(t)
		w.source.noMD5 = noMD5
		data := pack(t, "1")
		w.source.publish(data, "r1")
		w.mustUpdate(dropship.Updated)
		w.service.After = hooks.Chain{w.hook("start", nil)}
		w.source.publish(data, "r2")
		w.mustUpdate(dropship.UpToDate)
		w.source.counts()
		w.mustUpdate(dropship.UpToDate)
		if _, opens := w.source.counts(); opens != 0 {
			t.Errorf("noMD5 %v: the new revision was not remembered: %d downloads", noMD5, opens)
		}
		w.wantRan()
		if w.state().Staged != nil {
			t.Error("what was staged in vain is still there")
		}
	}
}

func TestHashInTheConfigurationIsBelievedWhereNothingIsKnown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	data := pack(t, "1")
	w.source.publish(data, "r1")
	dest := w.service.Site.Destination()
	if err := os.MkdirAll(dest, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dest, "version"), []byte("by hand"), 0o644); err != nil {
		t.Fatal(err)
	}
	w.service.Hash = md5Hex(data)
	w.mustUpdate(dropship.UpToDate)
	w.wantLive("by hand")

	w.source.publish(pack(t, "2"), "r2")
	w.mustUpdate(dropship.Updated)
	w.wantLive("2")
}

func TestDeletedDestinationIsReinstalled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.Updated)
	if err := os.RemoveAll(w.service.Site.Destination()); err != nil {
		t.Fatal(err)
	}
	w.mustUpdate(dropship.Updated)
	w.wantLive("1")
}

func TestAbsentArtifactRemovesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.Updated)
	w.source.publish(nil, "")
	_, err := w.update()
	if !errors.Is(err, artifact.ErrNotExist) || stepOf(t, err) != dropship.StepCheck {
		t.Errorf("got %v, want ErrNotExist at check", err)
	}
	w.wantLive("1")
}

func TestPublishedAnewWhileReadingStartsAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.publish(pack(t, "1"), "r1")
	once := false
	w.source.onOpen = func() {
		if !once {
			once = true
			w.source.publish(pack(t, "2"), "r2")
		}
	}
	w.mustUpdate(dropship.Updated)
	w.wantLive("2")
}

// However long it takes to download what was published during the wait: the others do not wait for it.
func TestPublishedDuringTheWaitIsStagedWithoutTheSlot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.takesTurns()
	w.source.publish(pack(t, "1"), "r1")
	w.locker.onGrant = func() { w.source.publish(pack(t, "2"), "r2") }
	opens := 0
	w.source.set(func(s *source) {
		s.onOpen = func() {
			opens++
			if w.locker.acquired != w.locker.givenBack() {
				t.Errorf("download %d: the slot is held", opens)
			}
		}
	})
	w.mustUpdate(dropship.Updated)
	w.wantLive("2")
	if w.locker.acquired != 2 || w.locker.released != 2 || opens != 2 {
		t.Errorf("got %d slots acquired, %d given back, and %d downloads, want 2 of each", w.locker.acquired, w.locker.released, opens)
	}
	if entries, err := w.service.Site.Releases(); err != nil || len(entries) != 1 {
		t.Errorf("releases: got %v, %v, want only the one installed", entries, err)
	}
}

// A lock service that is down means no update; what was staged is not downloaded again for that.
func TestNoSlotNoUpdate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.takesTurns()
	w.service.Before = hooks.Chain{w.hook("stop", nil)}
	w.source.publish(pack(t, "1"), "r1")
	w.locker.err = errors.New("cannot reach consul")
	for range 3 {
		if _, err := w.update(); stepOf(t, err) != dropship.StepSlot {
			t.Errorf("got %v, want an error at the slot", err)
		}
	}
	w.wantLive("")
	w.wantRan()
	if _, opens := w.source.counts(); opens != 1 {
		t.Errorf("got %d downloads, want 1", opens)
	}
	w.restart()
	w.locker.err = nil
	w.mustUpdate(dropship.Updated)
	w.wantLive("1")
	if _, opens := w.source.counts(); opens != 0 {
		t.Errorf("got %d more downloads after a restart, want 0", opens)
	}
}

func TestFenceRefusesTheSwitch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.takesTurns()
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.Updated)
	w.service.Before = hooks.Chain{w.hook("stop", nil)}
	w.service.After = hooks.Chain{w.hook("start", nil)}
	w.locker.check = func() error { return lock.ErrLost }
	w.source.publish(pack(t, "2"), "r2")
	_, err := w.update()
	if !errors.Is(err, lock.ErrLost) || stepOf(t, err) != dropship.StepSwitch {
		t.Errorf("got %v, want ErrLost at the switch", err)
	}
	w.wantLive("1")
	w.wantRan("before stop update", "after start failed")

	// That is no fault of the artifact: it is tried again at the next check, with what is staged.
	w.locker.check = nil
	w.mustUpdate(dropship.Updated)
	w.wantLive("2")
}

// A machine whose turn is over by the time that the repository and the others have answered runs no hook.
func TestSlotLostInTheRecheckRunsNoHook(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.takesTurns()
	w.service.Before = hooks.Chain{w.hook("stop", nil)}
	w.service.After = hooks.Chain{w.hook("start", nil)}
	w.source.publish(pack(t, "1"), "r1")
	w.source.set(func(s *source) {
		s.onStat = func() {
			if w.locker.acquired == 1 {
				close(w.locker.lease.lost)
			}
		}
	})
	if _, err := w.update(); !errors.Is(err, lock.ErrLost) || stepOf(t, err) != dropship.StepSlot {
		t.Errorf("got %v, want ErrLost at the slot", err)
	}
	w.wantRan()
	w.wantLive("")
	if w.locker.released != 1 {
		t.Errorf("the slot was given back %d times, want 1", w.locker.released)
	}
}

func TestSlotLostInTheBeforeChainAborts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.takesTurns()
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.Updated)
	w.service.Before = hooks.Chain{w.hook("stop", func(ctx context.Context, _ hooks.Event) error {
		close(w.locker.lease.lost)
		<-ctx.Done()
		return context.Cause(ctx)
	}), w.hook("never", nil)}
	w.service.After = hooks.Chain{w.hook("start", nil)}
	w.source.publish(pack(t, "2"), "r2")
	_, err := w.update()
	if !errors.Is(err, lock.ErrLost) || stepOf(t, err) != dropship.StepBefore {
		t.Errorf("got %v, want ErrLost in before", err)
	}
	w.wantLive("1")
	w.wantRan("before stop update", "after start failed")
}

func TestSlotLostAfterTheSwitchFinishesHere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.takesTurns()
	w.service.UpdateTTL = time.Hour // ended by the loss
	w.source.publish(pack(t, "1"), "r1")
	w.service.After = hooks.Chain{w.hook("start", func(context.Context, hooks.Event) error {
		close(w.locker.lease.lost)
		return nil
	}), w.hook("check", nil)}
	w.mustUpdate(dropship.Updated)
	w.wantLive("1")
	w.wantRan("after start update", "after check update")
	if got := strings.Count(w.log.String(), "level=ERROR msg=\"slot lost after the switch"); got != 1 {
		t.Errorf("got %d error lines about the lost slot, want 1\n%s", got, w.log)
	}
}

func TestBeforeFailureAtAFirstInstallIsAWarning(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.service.Before = hooks.Chain{w.hook("stop", func(context.Context, hooks.Event) error { return errors.New("no such unit") })}
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.Updated)
	w.wantLive("1")
	if !strings.Contains(w.log.String(), "first install") {
		t.Errorf("no word of it in the log:\n%s", w.log)
	}
}

func TestStopBeforeTheFirstHookAbandons(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.takesTurns()
	w.source.publish(pack(t, "1"), "r1")
	ctx, cancel := context.WithCancel(t.Context())
	w.locker.onGrant = cancel
	_, err := w.service.Update(ctx, w.machine)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	w.wantLive("")
	if w.locker.released != 1 {
		t.Errorf("the slot was given back %d times, want 1", w.locker.released)
	}
}

func TestStopInTheHooksCompletesTheUpdate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.takesTurns()
	w.service.UpdateTTL = time.Hour // cut short by the stop
	ctx, cancel := context.WithCancel(t.Context())
	w.service.Before = hooks.Chain{w.hook("stop", func(context.Context, hooks.Event) error { cancel(); return nil })}
	w.service.After = hooks.Chain{w.hook("start", func(ctx context.Context, _ hooks.Event) error { return ctx.Err() })}
	w.source.publish(pack(t, "1"), "r1")
	r, err := w.service.Update(ctx, w.machine)
	if err != nil || r.Outcome != dropship.Updated {
		t.Errorf("got %q, %v, want updated", r.Outcome, err)
	}
	w.wantLive("1")
	w.wantRan("before stop update", "after start update")
}

func TestTwoProcessesNeverWorkOnOneService(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.publish(pack(t, "1"), "r1")
	var inner error
	w.service.After = hooks.Chain{w.hook("start", func(context.Context, hooks.Event) error {
		_, inner = w.update()
		return nil
	})}
	w.mustUpdate(dropship.Updated)
	if !errors.Is(inner, dropship.ErrServiceBusy) {
		t.Errorf("got %v, want ErrServiceBusy", inner)
	}
}

// Two services, or two configurations, that name one destination: the destination itself is what they may not share.
func TestTwoServicesNeverWorkOnOneDestination(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t), newWorld(t)
	w.source.publish(pack(t, "1"), "r1")
	other.source.publish(pack(t, "2"), "r1")
	other.service.Name, other.service.Site = "other", install.New(w.service.Site.Options())
	var inner error
	w.service.Before = hooks.Chain{w.hook("stop", func(context.Context, hooks.Event) error {
		_, inner = other.update()
		return nil
	})}
	other.service.Before = hooks.Chain{other.hook("stop", nil)}
	w.mustUpdate(dropship.Updated)
	if !errors.Is(inner, dropship.ErrServiceBusy) {
		t.Errorf("got %v, want ErrServiceBusy", inner)
	}
	other.wantRan()
	w.wantLive("1")
}

// What another installs between the check and the lock is what a rollback must put back.
func TestWhatAnotherInstalledMeanwhileIsRolledBackTo(t *testing.T) {
	t.Parallel()
	w, other := newWorld(t), newWorld(t)
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.Updated)
	w.mustUpdate(dropship.UpToDate) // whose tidying up takes the lock from the start
	other.service.Name, other.service.Site = "other", install.New(w.service.Site.Options())
	other.source.publish(pack(t, "2"), "r1")
	w.service.After = hooks.Chain{w.brokenAt("bad")}
	w.source.publish(pack(t, "bad"), "r2")
	w.source.onStat = func() { other.mustUpdate(dropship.Updated) }
	if r, err := w.update(); r.Outcome != dropship.RolledBack {
		t.Errorf("got %q, %v", r.Outcome, err)
	}
	w.wantLive("2")
}

func TestLostStateIsRebuiltFromTheReleasesOnDisk(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.Updated)
	if err := os.RemoveAll(w.machine.Store.Dir()); err != nil {
		t.Fatal(err)
	}
	w.restart()
	w.mustUpdate(dropship.UpToDate)
}

// A disk that fails in a switch may say that it did not happen, and have it all the same.
func TestStateIsCorrectedByWhatIsAtTheDestination(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.Updated)
	before := w.state()
	w.source.publish(pack(t, "2"), "r2")
	w.mustUpdate(dropship.Updated)
	live := w.state().Installed.Release

	before.Staged = &live
	if err := w.machine.Store.Save(before); err != nil {
		t.Fatal(err)
	}
	w.mustUpdate(dropship.UpToDate)
	if st := w.state(); st.Installed.ID != live.ID || st.Staged != nil {
		t.Errorf("got %s installed and %v staged in the state, want %s and none", st.Installed.ID, st.Staged, live.ID)
	}
}

func TestOldReleasesArePruned(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, version := range []string{"1", "2", "3", "4", "5", "6"} {
		w.source.publish(pack(t, version), version)
		w.mustUpdate(dropship.Updated)
	}
	releases, err := w.service.Site.Releases()
	if err != nil || len(releases) != 4 {
		t.Errorf("got %d releases, %v, want the current one and 3 before it", len(releases), err)
	}
}
