//go:build linux

package dropship_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dropship/dropship/artifact/install"
	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
)

// smallDisk gives the world a state directory on a file system of its own, of 1 MiB.
func (w *world) smallDisk() {
	w.t.Helper()
	dir := w.machine.Store.Dir()
	if err := errors.Join(os.MkdirAll(dir, 0o700), unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m,mode=0700")); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			w.t.Error(err)
		}
	})
}

// fill takes all space of the disk that the state is on.
func (w *world) fill() {
	w.t.Helper()
	f, err := os.Create(filepath.Join(w.machine.Store.Dir(), "full"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer f.Close()
	for size := 64 << 10; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			if !errors.Is(err, unix.ENOSPC) {
				w.t.Fatal(err)
			}
			size /= 2
		}
	}
}

// blockState makes it impossible, whatever the user, to save the state, until unblock is called: what is mounted in the
// place of the copy can be neither written, removed nor moved.
func (w *world) blockState() (unblock func()) {
	w.t.Helper()
	obstacle := filepath.Join(w.machine.Store.Dir(), "web.json.copy")
	if err := errors.Join(os.RemoveAll(obstacle), os.Mkdir(obstacle, 0o700), unix.Mount("tmpfs", obstacle, "tmpfs", 0, "size=64k")); err != nil {
		w.t.Fatal(err)
	}
	var once sync.Once
	unblock = func() {
		once.Do(func() {
			if err := errors.Join(unix.Unmount(obstacle, 0), os.Remove(obstacle)); err != nil {
				w.t.Error(err)
			}
		})
	}
	w.t.Cleanup(unblock)
	return unblock
}

// A plan that sees no room for the artifact does not promise that it would be installed.
func TestPlanWithoutRoom(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.smallDisk()
	o := w.service.Site.Options()
	o.Destination = filepath.Join(w.machine.Store.Dir(), "srv")
	w.service.Site = install.New(o)
	w.source.publish(make([]byte, 2<<20), "r1")
	if p := w.plan(); p.Outcome != dropship.Updated || !strings.HasPrefix(p.Doubt, "not enough space on "+w.machine.Store.Dir()) {
		t.Errorf("got %+v, want doubt for want of space", p)
	}
	w.source.publish(pack(t, "1"), "r2")
	if p := w.plan(); p.Doubt != "" {
		t.Errorf("got doubt %q of what has room", p.Doubt)
	}
}

func TestStateOnAFullDiskTakesNoSlot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.smallDisk()
	w.takesTurns()
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.Updated)
	w.restart()
	if err := os.Remove(w.statePath() + ".copy"); err != nil { // and with it the space that the last update took
		t.Fatal(err)
	}
	w.fill()
	w.service.Before = hooks.Chain{w.hook("stop", nil)}
	w.source.publish(pack(t, "2"), "r2")
	w.locker.acquired = 0
	if _, err := w.update(); stepOf(t, err) != dropship.StepStage && stepOf(t, err) != dropship.StepState {
		t.Errorf("got %v, want an error before the slot", err)
	}
	w.wantRan()
	w.wantLive("1")
	if w.locker.acquired != 0 {
		t.Error("a slot was taken on a machine that cannot record anything")
	}
	if err := os.Remove(filepath.Join(w.machine.Store.Dir(), "full")); err != nil {
		t.Fatal(err)
	}
	w.mustUpdate(dropship.Updated)
	w.wantLive("2")
}

// The disk that the state is on fills up in the middle of an update: what it has to record was reserved.
func TestDiskThatFillsUpInAnUpdateLosesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.smallDisk()
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.Updated)
	long := string(make([]byte, 2000)) // six bytes each in JSON
	w.service.Before = hooks.Chain{w.hook("stop", func(context.Context, hooks.Event) error { w.fill(); return nil })}
	w.service.After = hooks.Chain{w.hook("start", nil), w.hook("check", func(_ context.Context, ev hooks.Event) error {
		if ev.Status == hooks.StatusUpdate {
			return errors.New("broken: " + long)
		}
		return nil
	}), w.killAt("maintenance off", hooks.StatusRollback)}
	w.source.publish(pack(t, "2"), "r2")
	w.killed()
	w.took()
	if r, _ := w.update(); r.Outcome != dropship.RolledBack {
		t.Errorf("got %q", r.Outcome)
	}
	w.wantRan("after maintenance off rollback")
	w.wantLive("1")
	w.restart()
	w.mustUpdate(dropship.Quarantine)
	// The history is the one thing for which no space is reserved.
	got := w.log.without("cannot keep what is known of an update")
	if len(got) == 0 || strings.Contains(got, "cannot record") || strings.Contains(got, "no space") {
		t.Errorf("something could not be recorded:\n%s", got)
	}
}

// A disk that takes no writes for a while: what has happened is known, and neither repeated nor forgotten.
func TestWhatCouldNotBeSavedIsRememberedAndSaved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.Updated)
	var unblock func()
	w.service.Before = hooks.Chain{w.hook("stop", func(_ context.Context, ev hooks.Event) error {
		if unblock == nil {
			unblock = w.blockState()
		}
		return nil
	})}
	w.service.After = hooks.Chain{w.hook("start", nil), w.brokenAt("2")}
	w.source.publish(pack(t, "2"), "r2")
	_, _ = w.update()
	w.wantLive("1")
	w.took()
	if _, err := w.update(); stepOf(t, err) != dropship.StepState {
		t.Errorf("got %v, want an error at the state", err)
	}
	w.wantRan()
	unblock()
	w.mustUpdate(dropship.Quarantine)
	w.wantRan()
	w.restart()
	w.mustUpdate(dropship.Quarantine)
}

// A clock that was a year ahead when something was written down holds nothing up.
func TestClockThatWasAheadHoldsNothingUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.Updated)
	w.service.After = hooks.Chain{w.hook("maintenance off", nil)}
	st := w.state()
	ahead := time.Now().AddDate(1, 0, 0)
	st.Installed.At, st.Installed.Staged = ahead, ahead
	st.Unfinished = &dropship.Unfinished{
		Update: dropship.Journal{UpdateID: "u", Status: hooks.StatusFailed, Chain: []string{"maintenance off"}, Started: ahead},
		Hooks:  []int{0}, Error: "Consul was down", Failures: 2, Next: ahead,
	}
	if err := w.machine.Store.Save(st); err != nil {
		t.Fatal(err)
	}
	w.restart()
	w.mustUpdate(dropship.UpToDate)
	w.wantRan("after maintenance off failed")
	w.mustUpdate(dropship.UpToDate)
	w.wantRan() // not twice
	w.source.publish(pack(t, "2"), "r2")
	w.mustUpdate(dropship.Updated)
}
