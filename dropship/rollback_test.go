package dropship_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dropship/dropship/artifact/install"
	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
)

// brokenAt returns a check that fails while that version is live.
func (w *world) brokenAt(version string) hooks.Step {
	return w.hook("check", func(context.Context, hooks.Event) error {
		if w.live() == version {
			return errors.New("503 from the application")
		}
		return nil
	})
}

func TestAfterFailureRollsBackAndQuarantines(t *testing.T) {
	t.Parallel()
	for _, noMD5 := range []bool{false, true} {
		w := newWorld(t)
		w.source.noMD5 = noMD5
		w.service.Before = hooks.Chain{w.hook("stop", nil)}
		w.service.After = hooks.Chain{w.hook("start", nil), w.brokenAt("bad"), w.hook("announce", nil)}
		w.service.After[2].When = hooks.Success
		good, bad := pack(t, "1"), pack(t, "bad")
		w.source.publish(good, "r1")
		w.mustUpdate(dropship.Updated)
		w.took()
		before, err := w.service.Site.Releases()
		if err != nil {
			t.Fatal(err)
		}

		w.source.publish(bad, "r2")
		r, err := w.update()
		if r.Outcome != dropship.RolledBack || stepOf(t, err) != dropship.StepAfter || !strings.Contains(err.Error(), "503 from the application") {
			t.Errorf("got %q, %v", r.Outcome, err)
		}
		if r.Hash != md5Hex(good) || r.PreviousHash != md5Hex(bad) {
			t.Errorf("hashes: got %s after %s", r.Hash, r.PreviousHash)
		}
		w.wantLive("1")
		w.wantRan("before stop update", "after start update", "after check update",
			"before stop rollback", "after start rollback", "after check rollback")

		// What failed takes nobody's place among the releases that are kept.
		after, err := w.service.Site.Releases()
		if err != nil || !slices.Equal(after, before) {
			t.Errorf("releases: got %v, %v, want %v", after, err, before)
		}

		// The bad hash is not tried again, not even published anew, nor after a restart …
		w.source.counts()
		for range 3 {
			w.mustUpdate(dropship.Quarantine)
			w.restart()
		}
		w.source.publish(bad, "r2-again")
		w.mustUpdate(dropship.Quarantine)
		w.source.counts()
		w.mustUpdate(dropship.Quarantine)
		if _, opens := w.source.counts(); opens != 0 {
			t.Errorf("noMD5 %v: the quarantined artifact was downloaded again", noMD5)
		}
		w.wantRan()
		w.wantLive("1")

		// … a new one is.
		w.source.publish(pack(t, "3"), "r3")
		w.mustUpdate(dropship.Updated)
		w.wantLive("3")
	}
}

func TestRollbackRestoresWhatSomebodyElseInstalled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.service.After = hooks.Chain{w.brokenAt("bad")}
	dest := w.service.Site.Destination()
	if err := os.MkdirAll(dest, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dest, "version"), []byte("by hand"), 0o644); err != nil {
		t.Fatal(err)
	}
	w.source.publish(pack(t, "bad"), "r1")
	if r, _ := w.update(); r.Outcome != dropship.RolledBack {
		t.Errorf("got %q", r.Outcome)
	}
	w.wantLive("by hand")
}

// What somebody else installed cannot be fetched again: it outlives all releases.
func TestWhatSomebodyElseInstalledIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.service.Site.Options()
	o.Keep = 0
	w.service.Site = install.New(o)
	dest := w.service.Site.Destination()
	if err := os.MkdirAll(dest, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dest, "db"), []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"1", "2", "3"} {
		w.source.publish(pack(t, version), version)
		w.mustUpdate(dropship.Updated)
	}
	found, err := filepath.Glob(filepath.Join(filepath.Dir(dest), ".web.dropship", "found-*", "tree", "db"))
	if err != nil || len(found) != 1 {
		t.Errorf("got %v, %v, want it kept once", found, err)
	}
	if got := strings.Count(w.log.String(), "moved aside and kept"); got != 1 {
		t.Errorf("said %d times, want once", got)
	}
}

func TestFailedFirstInstallStaysForWhoeverLooks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.service.After = hooks.Chain{w.hook("start", nil), w.brokenAt("bad"), w.hook("end maintenance", nil)}
	w.source.publish(pack(t, "bad"), "r1")
	r, err := w.update()
	if r.Outcome != dropship.Failed || stepOf(t, err) != dropship.StepAfter {
		t.Errorf("got %q, %v", r.Outcome, err)
	}
	w.wantLive("bad")
	w.wantRan("after start update", "after check update", "after end maintenance failed")
	if w.state().Failed == nil {
		t.Error("the state does not say failed")
	}
	if r, err := w.update(); r.Outcome != dropship.Quarantine || !strings.Contains(err.Error(), "not in order") {
		t.Errorf("got %q, %v, want quarantined, and not in order", r.Outcome, err)
	}
	w.wantRan()

	w.source.publish(pack(t, "2"), "r2")
	w.mustUpdate(dropship.Updated)
	w.wantLive("2")
	if w.state().Failed != nil {
		t.Error("the state still says failed")
	}
}

func TestFailedRollbackIsLoudAndFinal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	broken := false
	w.service.After = hooks.Chain{w.hook("check", func(context.Context, hooks.Event) error {
		if broken {
			return errors.New("database is down")
		}
		return nil
	}), w.hook("end maintenance", nil)}
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.Updated)
	w.took()

	broken = true
	w.source.publish(pack(t, "2"), "r2")
	r, err := w.update()
	if r.Outcome != dropship.Failed || stepOf(t, err) != dropship.StepRollback {
		t.Errorf("got %q, %v", r.Outcome, err)
	}
	w.wantLive("1")
	w.wantRan("after check update", "after check rollback", "after end maintenance failed")
	st := w.state()
	if st.Failed == nil || st.Failed.Hash != md5Hex(pack(t, "2")) {
		t.Errorf("failed: got %+v", st.Failed)
	}
	if r, err := w.update(); r.Outcome != dropship.Quarantine || !strings.Contains(err.Error(), "not in order") {
		t.Errorf("got %q, %v, want quarantined, and not in order", r.Outcome, err)
	}

	broken = false
	w.source.publish(pack(t, "3"), "r3")
	w.mustUpdate(dropship.Updated)
	w.wantLive("3")
}

func TestBeforeFailureInARollbackDoesNotKeepTheGoodReleaseOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.service.Before = hooks.Chain{w.hook("stop", func(_ context.Context, ev hooks.Event) error {
		if ev.Status == hooks.StatusRollback {
			return errors.New("already stopped")
		}
		return nil
	})}
	w.service.After = hooks.Chain{w.brokenAt("bad")}
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.Updated)
	w.source.publish(pack(t, "bad"), "r2")
	if r, _ := w.update(); r.Outcome != dropship.RolledBack {
		t.Errorf("got %q", r.Outcome)
	}
	w.wantLive("1")
}

// What hooks are told in an update, in its rollback and after a failure.
func TestEventTellsHashesStatusAndError(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var events []hooks.Event
	record := w.hook("record", func(_ context.Context, ev hooks.Event) error { events = append(events, ev); return nil })
	w.service.After = hooks.Chain{record, w.brokenAt("bad")}
	good, bad := pack(t, "1"), pack(t, "bad")
	w.source.publish(good, "r1")
	w.mustUpdate(dropship.Updated)
	w.source.publish(bad, "r2")
	_, _ = w.update()
	if len(events) != 3 {
		t.Fatalf("got %d events, want 3", len(events))
	}
	first, update, rollback := events[0], events[1], events[2]
	if first.PreviousHash != "" || first.Hash != md5Hex(good) || first.Status != hooks.StatusUpdate {
		t.Errorf("first install: got %+v", first)
	}
	if update.Hash != md5Hex(bad) || update.PreviousHash != md5Hex(good) || update.Error != "" {
		t.Errorf("update: got %+v", update)
	}
	if rollback.Hash != md5Hex(good) || rollback.PreviousHash != md5Hex(bad) || rollback.Status != hooks.StatusRollback || !strings.Contains(rollback.Error, "503") {
		t.Errorf("rollback: got %+v", rollback)
	}
	if rollback.UpdateID != update.UpdateID || update.UpdateID == first.UpdateID {
		t.Errorf("update ids: got %q, %q, %q", first.UpdateID, update.UpdateID, rollback.UpdateID)
	}
	if update.Name != "web" || update.Hostname != "web-01" || update.Phase != hooks.After || update.Artifact != w.source.String() || update.Destination != w.service.Site.Destination() {
		t.Errorf("update: got %+v", update)
	}
}
