package dropship_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
)

// An artifact that cannot be unpacked costs a download at each try. It must not cost the fleet one a minute
// for ever; and the one that mends it is noticed within the minute.
func TestRefusedArtifactIsFetchedLessAndLessOften(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.source.publish([]byte("no archive at all, and long enough to be told from one"), "r1")
		w.start(w.service)
		time.Sleep(24 * time.Hour)
		// 24 hours at four an hour, and a few at the start.
		stats, opens := w.source.counts()
		if opens > 110 || opens < 50 {
			t.Errorf("got %d downloads in a day, want about 100", opens)
		}
		if stats < 1000 {
			t.Errorf("got %d checks in a day, want one a minute", stats)
		}
		w.source.publish(pack(t, "2"), "r2")
		time.Sleep(70 * time.Second)
		w.wantLive("2")
	})
}

// What costs nothing is tried again as ever: a destination that is in the way, another process at work.
func TestWhatCostsNothingIsNotHeldBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.source.publish(pack(t, "1"), "r1")
		dest := w.service.Site.Destination()
		if err := os.MkdirAll(filepath.Dir(dest), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dest, []byte("a file, in the way of a directory"), 0o644); err != nil {
			t.Fatal(err)
		}
		w.start(w.service)
		time.Sleep(24 * time.Hour)
		if _, opens := w.source.counts(); opens != 0 {
			t.Errorf("got %d downloads, want none", opens)
		}
		if err := os.Remove(dest); err != nil {
			t.Fatal(err)
		}
		time.Sleep(70 * time.Second)
		w.wantLive("1")
	})
}

// So it is with an update that is given up: each try stops and starts a healthy application.
func TestFailingBeforeHookDisturbsLessAndLessOften(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.service.Fingerprint = "broken hook"
		w.source.publish(pack(t, "1"), "r1")
		a, _ := w.start(w.service)
		w.wantLive("1")

		broken := *w.service
		broken.Fingerprint = "with a broken hook"
		broken.Before = hooks.Chain{w.hook("drain", func(context.Context, hooks.Event) error { return errors.New("no such command") })}
		a.Reload([]*dropship.Service{&broken})
		w.source.publish(pack(t, "2"), "r2")
		time.Sleep(24 * time.Hour)
		if got := len(w.took()); got > 110 || got < 50 {
			t.Errorf("the hook ran %d times in a day, want about 100", got)
		}
		w.wantLive("1")

		// Whoever mends the hook need not wait.
		mended := *w.service
		mended.Fingerprint = "mended"
		a.Reload([]*dropship.Service{&mended})
		synctest.Wait()
		w.wantLive("2")
	})
}

func TestAnotherErrorIsNotHiddenByTheFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.service.CheckInterval = time.Second
		w.source.set(func(s *source) { s.err = errors.New("dial 10.0.0.1:43210: connection refused") })
		_, stop := w.start(w.service)
		time.Sleep(10 * time.Second)
		w.source.set(func(s *source) { s.err = errors.New("dial 10.0.0.1:43211: connection refused") }) // the same but for a port
		time.Sleep(10 * time.Second)
		w.source.set(func(s *source) { s.err = errors.New("access denied") })
		time.Sleep(20 * time.Second)
		stop()
		log := w.log.String()
		if refused, denied := strings.Count(log, "connection refused"), strings.Count(log, "access denied"); refused != 1 || denied != 1 {
			t.Errorf("got %d lines of the first error and %d of the second, want one each\n%s", refused, denied, log)
		}
	})
}

// An apply beside the agent is nothing to worry about; one that hangs is.
func TestServiceThatStaysBusyIsReported(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.source.publish(pack(t, "1"), "r1")
		unlock, err := w.machine.Store.Lock(w.service.Name)
		if err != nil {
			t.Fatal(err)
		}
		_, stop := w.start(w.service)
		time.Sleep(50 * time.Second)
		if strings.Contains(w.log.String(), "level=ERROR") {
			t.Errorf("reported within the minute:\n%s", w.log)
		}
		time.Sleep(30 * time.Second)
		unlock()
		time.Sleep(time.Minute)
		stop()
		log := w.log.String()
		if !strings.Contains(log, "another dropship process") || !strings.Contains(log, "trouble is over") {
			t.Errorf("not reported, or not its end:\n%s", log)
		}
		w.wantLive("1")
	})
}

func TestUpdateTTLHoldsTheSlot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.takesTurns()
		w.service.UpdateTTL = 30 * time.Second
		w.source.publish(pack(t, "1"), "r1")
		w.start(w.service)
		time.Sleep(29 * time.Second)
		w.wantLive("1")
		if st := w.state(); st.Installed == nil || st.Journal != nil {
			t.Error("the update is not recorded before the hold")
		}
		if w.locker.givenBack() != 0 {
			t.Error("the slot was given back before updateTTL was over")
		}
		time.Sleep(2 * time.Second)
		if w.locker.givenBack() != 1 {
			t.Error("the slot was not given back after updateTTL")
		}
	})
}

// A push of a new configuration in the middle of a roll-out must not let the fleet through.
func TestReloadDoesNotCutTheHoldShort(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.takesTurns()
		w.service.UpdateTTL = 30 * time.Second
		w.source.publish(pack(t, "1"), "r1")
		a, stop := w.start(w.service)
		changed := *w.service
		changed.Fingerprint = "changed"
		a.Reload([]*dropship.Service{&changed})
		time.Sleep(20 * time.Second)
		if w.locker.givenBack() != 0 {
			t.Error("a reload ended the hold")
		}
		stop()
		if w.locker.givenBack() != 1 {
			t.Error("the stop of the agent did not end the hold")
		}
	})
}

func TestNothingToCheckAgainstIsSaidOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.noMD5 = true
	for _, version := range []string{"1", "2", "3"} {
		w.source.publish(pack(t, version), version)
		w.mustUpdate(dropship.Updated)
	}
	if got := strings.Count(w.log.String(), "keeps no checksum"); got != 1 {
		t.Errorf("said %d times, want once", got)
	}
}

func TestServicesSideBySideAndDownloadsLimited(t *testing.T) {
	t.Parallel()
	const services, limit = 10, 4
	var all []*dropship.Service
	first := newWorld(t)
	arrived, goOn := make(chan struct{}, services), make(chan struct{})
	for i := range services {
		w := newWorld(t)
		w.service.Name = string(rune('a' + i))
		w.source.publish(pack(t, "1"), "r1")
		w.source.onOpen = func() { arrived <- struct{}{}; <-goOn }
		all = append(all, w.service)
	}
	first.startWith(all)
	for range limit {
		<-arrived // side by side
	}
	select {
	case <-arrived:
		t.Errorf("more than %d downloads at once", limit)
	default:
	}
	close(goOn)
	for range services - limit {
		<-arrived
	}
}
