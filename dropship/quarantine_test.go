package dropship_test

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/lock"
)

// A bad release costs one machine one rollback: the next one neither downloads it nor runs a hook nor takes a slot.
func TestWhatFailedElsewhereIsLeftAlone(t *testing.T) {
	t.Parallel()
	for _, noMD5 := range []bool{false, true} {
		b := newBoard()
		all := group(t, b, "web-01", "web-02")
		first, second := all[0], all[1]
		for _, w := range all {
			w.source.noMD5 = noMD5
		}
		first.rollsBack()

		acquired := second.locker.acquired
		second.source.publish(pack(t, "bad"), "r-bad")
		r := second.mustUpdate(dropship.Quarantine)
		if r.Quarantined != md5Hex(pack(t, "bad")) || r.Host != "web-01" || r.Hash != md5Hex(pack(t, "1")) {
			t.Errorf("got %+v", r)
		}
		if want := "failed on web-01 at "; !strings.Contains(r.Detail, want) || !strings.Contains(r.Detail, "after hook 2 failed: check") {
			t.Errorf("got %q, want where, when and why", r.Detail)
		}
		p, err := second.service.Plan(t.Context(), second.machine)
		if err != nil || p.Outcome != dropship.Quarantine || p.Reason != r.Detail {
			t.Errorf("plan: got %q, %q, %v, want what the update says", p.Outcome, p.Reason, err)
		}
		if _, opens := second.source.counts(); opens != 0 || second.locker.acquired != acquired {
			t.Errorf("noMD5 %v: got %d downloads and %d slots, want none", noMD5, opens, second.locker.acquired-acquired)
		}
		second.wantRan()
		second.wantLive("1")

		// It is remembered: without the board, and over a restart.
		b.set(func(b *board) { b.err = errors.New("no answer") })
		second.restart()
		second.mustUpdate(dropship.Quarantine)
		b.set(func(b *board) { b.err = nil })

		for _, w := range all {
			w.source.publish(pack(t, "3"), "r3")
			w.mustUpdate(dropship.Updated)
			w.wantLive("3")
		}
	}
}

// Where the md5 is not known before the download and the revision says nothing, the bytes tell.
func TestSameBytesUnderAnotherRevision(t *testing.T) {
	t.Parallel()
	all := group(t, newBoard(), "web-01", "web-02")
	all[0].rollsBack()
	w := all[1]
	w.source.noMD5 = true
	w.source.publish(pack(t, "bad"), "r-elsewhere")
	w.mustUpdate(dropship.Quarantine)
	w.wantRan()
	w.source.counts()
	w.mustUpdate(dropship.Quarantine)
	if _, opens := w.source.counts(); opens != 0 {
		t.Error("downloaded again")
	}
}

// The machines that stand in line when the first one rolls back have the release staged already.
func TestFoundBadWhileInLine(t *testing.T) {
	t.Parallel()
	all := group(t, newBoard(), "web-01", "web-02")
	w := all[1]
	before, err := w.service.Site.Releases()
	if err != nil {
		t.Fatal(err)
	}
	w.source.publish(pack(t, "bad"), "r-bad")
	w.locker.onGrant = all[0].rollsBack
	r := w.mustUpdate(dropship.Quarantine)
	if r.Host != "web-01" {
		t.Errorf("got %+v", r)
	}
	w.wantRan()
	w.wantLive("1")
	if w.locker.acquired != w.locker.givenBack() {
		t.Error("the slot is not given back")
	}
	after, err := w.service.Site.Releases()
	if err != nil || len(after) != len(before) || w.state().Staged != nil {
		t.Errorf("releases: got %v, %v, staged %v, want %v and nothing staged", after, err, w.state().Staged, before)
	}
}

// What was staged while the board could not be asked goes as soon as it can.
func TestStagedIsDiscarded(t *testing.T) {
	t.Parallel()
	b := newBoard()
	all := group(t, b, "web-01", "web-02")
	w := all[1]
	w.source.publish(pack(t, "bad"), "r-bad")
	w.locker.err = errors.New("consul is down")
	if _, err := w.update(); err == nil || w.state().Staged == nil {
		t.Fatalf("got %v, want it staged, and no slot", err)
	}
	w.locker.err = nil
	all[0].rollsBack()
	w.mustUpdate(dropship.Quarantine)
	if w.state().Staged != nil {
		t.Error("still staged")
	}
}

// With the slot taken, and nobody to ask, the machine before may have said no.
func TestNothingIsInstalledUnasked(t *testing.T) {
	t.Parallel()
	b := newBoard()
	w := group(t, b, "web-01")[0]
	w.source.publish(pack(t, "2"), "r2")
	w.locker.onGrant = func() { b.set(func(b *board) { b.err = errors.New("no answer") }) }
	if _, err := w.update(); stepOf(t, err) != dropship.StepSlot || !strings.Contains(err.Error(), "no answer") {
		t.Errorf("got %v", err)
	}
	w.wantRan()
	if w.locker.acquired != w.locker.givenBack() {
		t.Error("the slot is not given back")
	}
	w.locker.onGrant = nil
	b.set(func(b *board) { b.err = nil })
	w.mustUpdate(dropship.Updated)
	w.wantLive("2")
}

// The board is out of reach in the rollback: the machine knows at once, the others as soon as they can.
func TestToldLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBoard()
		all := group(t, b, "web-01", "web-02")
		w := all[0]
		w.source.publish(pack(t, "bad"), "r-bad")
		w.service.After = append(w.service.After, w.hook("never", nil))
		down := func(context.Context, hooks.Event) error {
			b.set(func(b *board) { b.err = errors.New("no answer") })
			return nil
		}
		w.service.Before = hooks.Chain{w.hook("consul goes", down)}
		if r, _ := w.update(); r.Outcome != dropship.RolledBack {
			t.Fatalf("got %q", r.Outcome)
		}
		if !strings.Contains(w.log.String(), "told at a later check") {
			t.Errorf("it does not say so:\n%s", w.log)
		}
		w.mustUpdate(dropship.Quarantine)
		b.set(func(b *board) { b.err = nil })
		w.mustUpdate(dropship.Quarantine)
		if q := b.only(t); q.Host != "web-01" || q.Service != "web" || q.Hash != md5Hex(pack(t, "bad")) {
			t.Errorf("got %+v", q)
		}

		// The store loses its data: whoever knows tells again, also one that only heard of it.
		all[1].source.publish(pack(t, "bad"), "r-bad")
		all[1].mustUpdate(dropship.Quarantine)
		first := b.only(t)
		b.set(func(b *board) { clear(b.m) })
		all[1].mustUpdate(dropship.Quarantine)
		if again := b.only(t); again != first {
			t.Errorf("got %+v, want %+v", again, first)
		}
	})
}

// A request that fails must not cost the next machine a rollback: the slot is given back when the others are told.
func TestTellsAgainInAnElection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBoard()
		w := group(t, b, "web-01")[0]
		w.service.Before = hooks.Chain{w.hook("election", func(_ context.Context, ev hooks.Event) error {
			if ev.Status == hooks.StatusUpdate {
				b.set(func(b *board) { b.err = errors.New("no cluster leader") })
				time.AfterFunc(5*time.Second, func() { b.set(func(b *board) { b.err = nil }) })
			}
			return nil
		})}
		w.rollsBack()
		if q := b.only(t); q.Host != "web-01" {
			t.Errorf("got %+v", q)
		}
	})
}

func TestRetryFreesTheGroup(t *testing.T) {
	t.Parallel()
	b := newBoard()
	all := group(t, b, "web-01", "web-02", "web-03")
	all[0].rollsBack()
	for _, w := range all {
		w.source.publish(pack(t, "bad"), "r-bad")
		w.mustUpdate(dropship.Quarantine)
	}
	freed, err := all[1].service.Retry(t.Context(), all[1].machine, "joe@web-02")
	if err != nil || len(freed) != 1 || freed[0].Host != "web-01" || freed[0].Hash != md5Hex(pack(t, "bad")) {
		t.Fatalf("got %+v, %v, want what failed on web-01", freed, err)
	}
	if q := b.only(t); q.Lifted == nil || q.Lifted.By != "joe@web-02" {
		t.Errorf("got %+v, want it lifted by joe@web-02", q)
	}
	// One machine tries it again, whoever comes first, and then no other.
	if r, err := all[2].update(); r.Outcome != dropship.RolledBack {
		t.Fatalf("got %q, %v, want it tried again", r.Outcome, err)
	}
	for _, w := range all[:2] {
		w.took()
		if r := w.mustUpdate(dropship.Quarantine); r.Host != "web-03" {
			t.Errorf("got %+v, want what failed on web-03", r)
		}
		w.wantRan()
	}

	// And if it is good now, all get it, the first one too.
	if _, err := all[1].service.Retry(t.Context(), all[1].machine, "joe@web-02"); err != nil {
		t.Fatal(err)
	}
	for _, w := range all {
		w.service.After = nil
		w.mustUpdate(dropship.Updated)
		w.wantLive("bad")
	}
	if log := all[0].log.String(); !strings.Contains(log, `msg="quarantine lifted"`) || !strings.Contains(log, "by=joe@web-02") {
		t.Errorf("it does not say who lifted it:\n%s", log)
	}
	if freed, err := all[1].service.Retry(t.Context(), all[1].machine, "joe@web-02"); err != nil || len(freed) != 0 {
		t.Errorf("got %+v, %v, want nothing", freed, err)
	}
}

// With several slots two machines may find the same bad release at once. One lift frees both.
func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	b := newBoard()
	all := group(t, b, "web-01", "web-02")
	one, two := all[0], all[1]
	two.source.publish(pack(t, "bad"), "r-bad")
	two.service.Before = hooks.Chain{two.hook("meanwhile", func(_ context.Context, ev hooks.Event) error {
		if ev.Status == hooks.StatusUpdate {
			one.rollsBack()
		}
		return nil
	})}
	if r, _ := two.update(); r.Outcome != dropship.RolledBack {
		t.Fatalf("got %q", r.Outcome)
	}
	first := b.only(t)
	if first.Host != "web-01" || two.state().Quarantine[0].UpdateID != first.UpdateID {
		t.Errorf("on the board %+v, on the second machine %+v: want the first one's", first, two.state().Quarantine)
	}
	if _, err := one.service.Retry(t.Context(), one.machine, "joe@web-01"); err != nil {
		t.Fatal(err)
	}
	two.service.Before = nil
	for _, w := range all {
		w.service.After = nil
		w.mustUpdate(dropship.Updated)
	}
}

// A server that lags behind shows what was lifted as in force, or what is in force as lifted. That decides nothing.
func TestStaleAnswerDecidesNothing(t *testing.T) {
	t.Parallel()
	b := newBoard()
	w := group(t, b, "web-01")[0]
	w.rollsBack()
	if _, err := b.Lift(t.Context(), "web", "web", "joe@web-02"); err != nil {
		t.Fatal(err)
	}
	lifted := b.only(t)
	failed := lifted
	failed.Lifted, failed.UpdateID, failed.Host = nil, "u-other", "web-02"
	b.set(func(b *board) {
		key := "web/web/" + lifted.Hash
		b.old = map[string]lock.Quarantine{key: lifted}
		b.m[key] = failed
	})
	acquired := w.locker.acquired
	for range 3 {
		if r := w.mustUpdate(dropship.Quarantine); r.Host != "web-02" {
			t.Errorf("got %+v, want what failed on web-02", r)
		}
	}
	w.wantRan()
	if _, opens := w.source.counts(); opens != 0 || w.locker.acquired != acquired {
		t.Errorf("got %d downloads and %d slots, want none", opens, w.locker.acquired-acquired)
	}
}

// A first install has nothing to go back to, and is quarantined for all the same; a retry installs it again.
func TestFirstInstallIsQuarantinedForTheGroup(t *testing.T) {
	t.Parallel()
	b := newBoard()
	first, second := member(t, b, "web-01"), member(t, b, "web-02")
	for _, w := range []*world{first, second} {
		w.source.publish(pack(t, "bad"), "r1")
	}
	if r, _ := first.update(); r.Outcome != dropship.Failed {
		t.Fatalf("got %q", r.Outcome)
	}
	first.took()
	if r, err := second.update(); r.Outcome != dropship.Quarantine || err == nil { // it runs nothing at all
		t.Errorf("got %q, %v, want it quarantined, and an error", r.Outcome, err)
	}
	second.wantRan()
	second.wantLive("")

	if _, err := second.service.Retry(t.Context(), second.machine, "joe@web-02"); err != nil {
		t.Fatal(err)
	}
	for _, w := range []*world{first, second} {
		w.service.After = nil
		w.mustUpdate(dropship.Updated)
		w.wantLive("bad")
		if w.state().Failed != nil {
			t.Error("the state still says failed")
		}
	}
}

// Who may read the board need not be allowed to read what scripts print.
func TestOthersAreToldNoOutput(t *testing.T) {
	t.Parallel()
	b := newBoard()
	w := group(t, b, "web-01")[0]
	w.service.After = hooks.Chain{w.hook(strings.Repeat("long ", 200)+"ünd", func(_ context.Context, ev hooks.Event) error {
		if ev.Status == hooks.StatusUpdate {
			err := exec.CommandContext(t.Context(), "sh", "-c", "exit 7").Run()
			return errors.Join(err, errors.New("its last output: password hunter2"))
		}
		return nil
	})}
	w.rollsBack()
	if got := b.only(t).Error; strings.Contains(got, "hunter2") || !strings.Contains(got, "after hook 1 failed with exit status 7: long") || len(got) > 310 {
		t.Errorf("others are told %q (%d bytes)", got, len(got))
	}
	if got := w.state().Quarantine[0].Error; !strings.Contains(got, "hunter2") {
		t.Errorf("here it says %q, want all of it", got)
	}
	// Also when it is told again.
	b.set(func(b *board) { clear(b.m) })
	w.mustUpdate(dropship.Quarantine)
	if got := b.only(t).Error; strings.Contains(got, "hunter2") {
		t.Errorf("others are told %q", got)
	}
}

// What stands on the board was written by whoever may write there: it is kept short, and a terminal obeys none of it.
func TestWhatOthersWroteIsKeptShort(t *testing.T) {
	t.Parallel()
	b := newBoard()
	w := group(t, b, "web-01")[0]
	q := lock.Quarantine{
		Service: "web", Hash: md5Hex(pack(t, "bad")), UpdateID: "u1", Since: time.Now(),
		Host: "web-02\x1b]0;title\a\u202e\u200b", Error: "a\nb\x1b[2J" + strings.Repeat("long", 1<<20),
	}
	if _, err := b.Quarantine(t.Context(), "web", q); err != nil {
		t.Fatal(err)
	}
	w.source.publish(pack(t, "bad"), "r-bad")
	r := w.mustUpdate(dropship.Quarantine)
	if strings.ContainsAny(r.Detail, "\x1b\a\n\u202e\u200b") || len(r.Detail) > 500 || !strings.Contains(r.Detail, "failed on web-02") {
		t.Errorf("got %d bytes: %.300q", len(r.Detail), r.Detail)
	}
}

// A check of what is quarantined costs the board one small read, and one of what is installed nothing.
func TestChecksAskLittle(t *testing.T) {
	t.Parallel()
	b := newBoard()
	w := group(t, b, "web-01")[0]
	b.set(func(b *board) { b.reads = 0 })
	w.mustUpdate(dropship.UpToDate)
	if b.reads != 0 {
		t.Errorf("up to date: got %d reads, want none", b.reads)
	}
	w.source.publish(pack(t, "2"), "r2")
	w.mustUpdate(dropship.Updated)
	if b.reads != 1 {
		t.Errorf("an update: got %d reads, want 1: its lease tells what another would", b.reads)
	}
	w.source.publish(pack(t, "bad"), "r-bad")
	if r, _ := w.update(); r.Outcome != dropship.RolledBack {
		t.Fatalf("got %q", r.Outcome)
	}
	b.set(func(b *board) { b.reads = 0 })
	w.mustUpdate(dropship.Quarantine)
	if b.reads != 1 {
		t.Errorf("quarantined: got %d reads, want 1", b.reads)
	}
}
