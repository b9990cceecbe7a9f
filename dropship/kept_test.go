package dropship_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/lock"
)

var ann = dropship.RollbackRequest{By: "ann@web-01", Reason: "checkout is broken"}

// threeReleases installs 1, 2 and 3.
func (w *world) threeReleases() {
	w.t.Helper()
	for _, v := range []string{"1", "2", "3"} {
		w.source.publish(pack(w.t, v), "r"+v)
		w.mustUpdate(dropship.Updated)
	}
	w.took()
}

func (w *world) rollback(req dropship.RollbackRequest) (dropship.Result, error) {
	return w.service.Rollback(w.t.Context(), w.machine, req)
}

func TestRollbackToThePreviousRelease(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.takesTurns()
	var seen []hooks.Event
	remember := func(_ context.Context, ev hooks.Event) error { seen = append(seen, ev); return nil }
	w.service.Before = hooks.Chain{w.hook("stop", remember)}
	w.service.After = hooks.Chain{w.hook("start", remember)}
	w.threeReleases()
	seen = nil
	slots := w.locker.acquired

	r, err := w.rollback(ann)
	if err != nil || r.Outcome != dropship.RolledBack || r.Hash != md5Hex(pack(t, "2")) || r.PreviousHash != md5Hex(pack(t, "3")) {
		t.Fatalf("got %+v, error %v", r, err)
	}
	w.wantLive("2")
	w.wantRan("before stop rollback", "after start rollback")
	if got := seen[0]; got.Hash != md5Hex(pack(t, "2")) || got.Error != "rolled back by ann@web-01: checkout is broken" {
		t.Errorf("the hooks were told %+v", got)
	}
	if w.locker.acquired != slots+1 || w.locker.givenBack() != w.locker.acquired {
		t.Errorf("slots: got %d acquired, %d given back, want one more, and all", w.locker.acquired-slots, w.locker.givenBack())
	}

	// What was taken away stays away, also for a new process, until a person says so.
	w.restart()
	r = w.mustUpdate(dropship.Quarantine)
	if !strings.Contains(r.Detail, "rolled back by ann@web-01: checkout is broken") {
		t.Errorf("quarantine: got %q", r.Detail)
	}
	if r, err = w.rollback(ann); err != nil || r.Hash != md5Hex(pack(t, "1")) {
		t.Errorf("a second rollback: got %+v, %v, want the release before", r, err)
	}
	w.wantLive("1")
	if _, err := w.service.Retry(t.Context(), w.machine, "ann@web-01"); err != nil {
		t.Fatal(err)
	}
	w.mustUpdate(dropship.Updated)
	w.wantLive("3")
}

// The same bytes, installed twice, are nothing to go back to.
func TestRollbackLeavesOutTheSameHash(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.threeReleases()
	if r, err := w.rollback(ann); err != nil || r.Hash != md5Hex(pack(t, "2")) {
		t.Fatalf("got %+v, error %v", r, err)
	}
	if _, err := w.service.Retry(t.Context(), w.machine, ann.By); err != nil {
		t.Fatal(err)
	}
	w.mustUpdate(dropship.Updated)
	w.wantLive("3")
	if r, err := w.rollback(ann); err != nil || r.Hash != md5Hex(pack(t, "2")) {
		t.Errorf("got %+v, error %v, want release 2", r, err)
	}
	w.wantLive("2")
}

func TestRollbackToAReleaseByName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.threeReleases()
	w.source.publish(pack(t, "4"), "r4")
	w.mustUpdate(dropship.Updated)
	for _, wrong := range []string{md5Hex(pack(t, "4")), md5Hex([]byte("no release")), md5Hex(pack(t, "1"))[:3]} {
		if _, err := w.rollback(dropship.RollbackRequest{By: "ann@web-01", To: wrong}); !errors.Is(err, dropship.ErrNoRelease) {
			t.Errorf("%s: got error %v, want ErrNoRelease", wrong, err)
		}
	}
	w.wantLive("4")
	r, err := w.rollback(dropship.RollbackRequest{By: "ann@web-01", To: strings.ToUpper(md5Hex(pack(t, "1"))[:8])})
	if err != nil || r.Hash != md5Hex(pack(t, "1")) {
		t.Fatalf("got %+v, %v", r, err)
	}
	w.wantLive("1")
	if _, err := w.rollback(dropship.RollbackRequest{By: "ann@web-01", To: md5Hex(pack(t, "4"))}); !errors.Is(err, dropship.ErrNoRelease) || !strings.Contains(err.Error(), "dropship retry web") {
		t.Errorf("to what is quarantined: got error %v", err)
	}
}

func TestRollbackWithNothingToGoBackTo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.Updated)
	seen := w.witness()
	if _, err := w.rollback(ann); !errors.Is(err, dropship.ErrNoRelease) {
		t.Errorf("got error %v, want ErrNoRelease", err)
	}
	if words := seen.told(); len(words) != 0 {
		t.Errorf("got events %q, want none: nothing happened", words)
	}
	w.mustUpdate(dropship.UpToDate)
}

// What is put back does not work: what was there before it comes back, and is not quarantined.
func TestRollbackThatFailsIsRolledBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.threeReleases()
	w.service.After = hooks.Chain{w.hook("check", func(context.Context, hooks.Event) error {
		if w.live() == "2" {
			return errors.New("2 is broken")
		}
		return nil
	})}
	r, err := w.rollback(ann)
	if err == nil || r.Outcome != dropship.RolledBack || r.Hash != md5Hex(pack(t, "3")) {
		t.Fatalf("got %+v, %v", r, err)
	}
	w.wantLive("3")
	w.mustUpdate(dropship.UpToDate)
	if q := w.state().Quarantine; len(q) != 1 || q[0].Hash != md5Hex(pack(t, "2")) {
		t.Errorf("quarantined: got %+v, want the release that failed", q)
	}
}

func TestRollbackWhoseBeforeHookFailsChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.threeReleases()
	w.service.Before = hooks.Chain{w.hook("stop", func(context.Context, hooks.Event) error { return errors.New("no") })}
	w.service.After = hooks.Chain{w.hook("start", nil)}
	r, err := w.rollback(ann)
	if err == nil || r.Outcome != dropship.GivenUp {
		t.Fatalf("got %+v, %v", r, err)
	}
	w.wantLive("3")
	w.wantRan("before stop rollback", "after start failed")
	w.service.Before = nil
	w.mustUpdate(dropship.UpToDate)
	if q := w.state().Quarantine; len(q) != 0 {
		t.Errorf("quarantined: got %+v, want nothing", q)
	}
}

// No slot is no rollback: another machine may be updating.
func TestRollbackWithoutASlotChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.takesTurns()
	w.threeReleases()
	w.locker.check = func() error { return lock.ErrLost }
	if r, err := w.rollback(ann); err == nil || r.Outcome != dropship.GivenUp {
		t.Errorf("slot lost before the switch: got %+v, %v", r, err)
	}
	w.locker.err = errors.New("consul is down")
	if r, err := w.rollback(ann); err == nil || r.Outcome != "" {
		t.Errorf("no slot: got %+v, %v", r, err)
	}
	w.wantLive("3")
	if st := w.state(); st.Journal != nil || len(st.Quarantine) != 0 {
		t.Errorf("got journal %v, quarantine %v, want neither", st.Journal, st.Quarantine)
	}
}

// The repository is down, too: the old release comes back all the same, and it is said what cannot be promised.
func TestRollbackWhileTheRepositoryIsDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.threeReleases()
	w.source.set(func(s *source) { s.err = errors.New("connection refused") })
	if r, err := w.rollback(ann); err != nil || r.Hash != md5Hex(pack(t, "2")) {
		t.Fatalf("got %+v, %v", r, err)
	}
	if !strings.Contains(w.log.String(), "cannot tell what the repository holds") {
		t.Errorf("it is not said:\n%s", w.log)
	}
	w.source.set(func(s *source) { s.err = nil })
	w.mustUpdate(dropship.Quarantine) // it still holds 3, which was taken away
}

// A kill before the switch changes nothing, one after it is a rollback that is completed.
func TestRollbackThatIsKilled(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ hook, live string }{{"stop", "3"}, {"start", "2"}} {
		w := newWorld(t)
		w.threeReleases()
		w.service.Before = hooks.Chain{w.hook("stop", nil)}
		w.service.After = hooks.Chain{w.hook("start", nil)}
		kill := w.killAt(tt.hook, hooks.StatusRollback)
		if tt.hook == "stop" {
			w.service.Before = hooks.Chain{kill}
		} else {
			w.service.After = hooks.Chain{kill}
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = w.rollback(ann)
		}()
		<-done
		w.restart()
		w.took()
		seen := w.witness()
		w.mustUpdate(dropship.Recovered)
		w.wantLive(tt.live)
		if words := seen.told(); words[0] != "update-begun by ann@web-01" || words[len(words)-1] != map[string]string{
			"3": "update-ended recovered by ann@web-01 !", "2": "update-ended recovered by ann@web-01",
		}[tt.live] {
			t.Errorf("killed in %s: got events %q", tt.hook, words)
		}
		r, err := w.update()
		if want := map[string]dropship.Outcome{"3": dropship.UpToDate, "2": dropship.Quarantine}[tt.live]; err != nil || r.Outcome != want {
			t.Errorf("killed in %s: got outcome %q, error %v, want %q", tt.hook, r.Outcome, err, want)
		}
	}
}
