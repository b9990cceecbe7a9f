package dropship_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
)

// The faults of the 2018 tool that lie in the update itself. The others are tested where they belong:
// 4 in artifact/install, 6 and 12 in artifact/archive, 7 in lock/consul, 8 in hooks/graphite,
// 9 in hooks/consul, 10 in agent_test.go, 11 in test/e2e.

// Fault 1: a failed install was logged and then recorded as installed, and never tried again.
func TestFault01FailedInstallIsNotRecordedAndIsTriedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.Updated)

	// The archive is damaged: it can be fetched and checked, and not unpacked.
	good := pack(t, "2")
	w.source.publish(append([]byte{0x1f, 0x8b, 0x08}, bytes.Repeat([]byte{0}, 64)...), "r2")
	for range 2 {
		if _, err := w.update(); stepOf(t, err) != dropship.StepStage {
			t.Errorf("got %v, want an error at staging", err)
		}
		if got := w.state().Installed; got == nil || got.Revision != "r1" {
			t.Errorf("recorded as installed: got %+v, want the old release", got)
		}
	}
	w.wantLive("1")
	w.source.publish(good, "r3")
	w.mustUpdate(dropship.Updated)
	w.wantLive("2")
}

// Fault 2: a failing hook stopped nothing.
func TestFault02FailingBeforeHookStopsTheUpdate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.Updated)

	fails := true
	w.service.Before = hooks.Chain{
		w.hook("maintenance on", nil),
		w.hook("drain", func(context.Context, hooks.Event) error {
			if fails {
				return errors.New("still 12 connections")
			}
			return nil
		}),
		w.hook("stop", nil),
	}
	w.service.After = hooks.Chain{w.hook("start", nil), w.hook("announce", nil), w.hook("maintenance off", nil)}
	w.service.After[1].When = hooks.Success
	w.source.publish(pack(t, "2"), "r2")
	r, err := w.update()
	if stepOf(t, err) != dropship.StepBefore || r.Outcome != dropship.GivenUp {
		t.Errorf("got %q, %v", r.Outcome, err)
	}
	w.wantLive("1")
	w.wantRan("before maintenance on update", "before drain update", "after start failed", "after maintenance off failed")

	// It is no fault of the artifact: not quarantined, tried again.
	fails = false
	w.took()
	w.mustUpdate(dropship.Updated)
	w.wantLive("2")
}

func TestFault02FailingAfterHookStopsTheUpdate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.Updated)
	w.service.After = hooks.Chain{w.brokenAt("2"), w.hook("announce", nil)}
	w.service.After[1].When = hooks.Success
	w.source.publish(pack(t, "2"), "r2")
	if r, err := w.update(); stepOf(t, err) != dropship.StepAfter || r.Outcome != dropship.RolledBack {
		t.Errorf("got %q, %v", r.Outcome, err)
	}
	w.wantLive("1")
	w.wantRan("after check update", "after check rollback")
}

func TestHookThatMayFailStopsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	announce := w.hook("announce", func(context.Context, hooks.Event) error { return errors.New("graphite is down") })
	announce.OnError = hooks.Continue
	w.service.After = hooks.Chain{announce, w.hook("start", nil)}
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.Updated)
	w.wantRan("after announce update", "after start update")
}

// Fault 3: the installed hash lived in memory, so every restart of the daemon deployed everything again.
func TestFault03RestartInstallsNothing(t *testing.T) {
	t.Parallel()
	for _, noMD5 := range []bool{false, true} {
		w := newWorld(t)
		w.source.noMD5 = noMD5
		w.source.publish(pack(t, "1"), "r1")
		w.mustUpdate(dropship.Updated)
		w.service.After = hooks.Chain{w.hook("start", nil)}
		w.source.counts()
		for range 3 {
			w.restart()
			w.mustUpdate(dropship.UpToDate)
		}
		w.wantRan()
		if _, opens := w.source.counts(); opens != 0 {
			t.Errorf("noMD5 %v: got %d downloads after restarts, want none", noMD5, opens)
		}
	}
}

// Fault 5: the downloaded bytes were never hashed; the response body was never closed.
func TestFault05BytesAreHashedAndBodiesClosed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.Updated)

	w.source.publish(pack(t, "2"), "r2")
	w.source.tamper = func(data []byte) []byte {
		data[4] ^= 1 // the time stamp in the gzip header: the archive still unpacks well
		return data
	}
	_, err := w.update()
	var sum *artifact.ChecksumError
	if !errors.As(err, &sum) || stepOf(t, err) != dropship.StepStage {
		t.Errorf("got %v, want a ChecksumError at staging", err)
	}
	w.wantLive("1")
	if w.state().Staged != nil {
		t.Error("bytes that cannot be trusted were kept")
	}
	if releases, err := w.service.Site.Releases(); err != nil || len(releases) != 1 {
		t.Errorf("got %d releases, %v, want only the one installed", len(releases), err)
	}

	w.source.set(func(s *source) { s.tamper = nil })
	w.mustUpdate(dropship.Updated)
	w.wantLive("2")
	w.source.set(func(s *source) {
		if s.closes != s.opens {
			t.Errorf("%d bodies were opened and %d closed", s.opens, s.closes)
		}
	})
}
