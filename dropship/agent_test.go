package dropship_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
)

// start runs an agent for the world's service until the test, or stop, ends it.
func (w *world) start(services ...*dropship.Service) (a *dropship.Agent, stop func()) {
	a, stop = w.startWith(services)
	synctest.Wait()
	return a, stop
}

func (w *world) startWith(services []*dropship.Service) (a *dropship.Agent, stop func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	a = dropship.NewAgent(w.machine)
	a.Start(ctx, services)
	stop = func() { cancel(); a.Wait() }
	w.t.Cleanup(stop)
	return a, stop
}

// Fault 10 of the 2018 tool: the first check came only after a full interval, and a fleet polled in step.
func TestFault10FirstCheckAtOnceThenJittered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.source.publish(pack(t, "1"), "r1")
		began := time.Now()
		w.start(w.service)
		w.wantLive("1")
		if got := time.Since(began); got != 0 {
			t.Errorf("the first check came after %s, want at once", got)
		}
		w.source.counts()

		waits := make(map[time.Duration]bool)
		for i := range 20 {
			last := time.Now()
			for {
				time.Sleep(time.Millisecond)
				synctest.Wait()
				if stats, _ := w.source.counts(); stats > 0 {
					break
				}
				if time.Since(last) > time.Minute {
					t.Fatal("no further check")
				}
			}
			wait := time.Since(last)
			if i == 0 { // anywhere within the interval: see TestChecksSpreadOverTheInterval
				if wait > 10101*time.Millisecond {
					t.Errorf("got a wait of %s after the first check, want up to 10s", wait)
				}
				continue
			}
			if wait < 8999*time.Millisecond || wait > 11101*time.Millisecond {
				t.Errorf("got a wait of %s, want 10s give or take a tenth, and up to 0.1s", wait)
			}
			waits[wait] = true
		}
		if len(waits) < 5 { // of some 21 that end with a beat; the dice give 12 or 13
			t.Errorf("got only %d different waits in 19: no jitter", len(waits))
		}
	})
}

func TestTroubleIsLoggedOnceAMinuteAndItsEndOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.service.CheckInterval = time.Second
		w.source.set(func(s *source) { s.err = errors.New("connection refused") })
		_, stop := w.start(w.service)
		time.Sleep(10 * time.Minute)
		w.source.set(func(s *source) { s.err = nil })
		w.source.publish(pack(t, "1"), "r1")
		time.Sleep(2 * time.Minute)
		stop()
		w.wantLive("1")
		log := w.log.String()
		// The tries are about a minute apart by then, so that one may fall just within the minute of the last line.
		if got := strings.Count(log, "level=ERROR"); got < 5 || got > 11 {
			t.Errorf("ten minutes of trouble made %d error lines, want at most one a minute\n%s", got, log)
		}
		if got := strings.Count(log, "trouble is over"); got != 1 {
			t.Errorf("its end made %d lines, want 1", got)
		}
	})
}

func TestBackOffGrowsToAMinuteAndNoFurther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.source.set(func(s *source) { s.err = errors.New("connection refused") })
		w.start(w.service)
		w.source.counts()
		time.Sleep(10 * time.Minute)
		// 10, 20, 40, then 60 s each: 3 + 530/60.
		if stats, _ := w.source.counts(); stats < 10 || stats > 13 {
			t.Errorf("got %d checks in ten minutes of failures, want about 11", stats)
		}
	})
}

func TestReloadLeavesUnchangedServicesUndisturbed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.service.Fingerprint = "a"
		w.source.publish(pack(t, "1"), "r1")
		a, _ := w.start(w.service)
		time.Sleep(5 * time.Second)
		w.source.counts()

		same := *w.service
		a.Reload([]*dropship.Service{&same})
		synctest.Wait()
		if stats, _ := w.source.counts(); stats != 0 {
			t.Errorf("a reload without a change made %d checks", stats)
		}
		changed := *w.service
		changed.Fingerprint = "b"
		a.Reload([]*dropship.Service{&changed})
		synctest.Wait()
		if stats, _ := w.source.counts(); stats != 1 {
			t.Errorf("a changed service was checked %d times, want at once", stats)
		}
		a.Reload(nil)
		time.Sleep(time.Minute)
		if stats, _ := w.source.counts(); stats != 0 {
			t.Errorf("a service that is gone was checked %d times", stats)
		}
		w.wantLive("1")
	})
}

func TestReloadLetsARunningUpdateEndWithItsOldConfiguration(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.source.publish(pack(t, "1"), "r1")
		goOn := make(chan struct{})
		w.service.Before = hooks.Chain{w.hook("old before", func(context.Context, hooks.Event) error { <-goOn; return nil })}
		w.service.After = hooks.Chain{w.hook("old after", nil)}
		a, _ := w.start(w.service)

		changed := *w.service
		changed.Fingerprint = "new"
		changed.Before, changed.After = nil, hooks.Chain{w.hook("new after", nil)}
		a.Reload([]*dropship.Service{&changed})
		synctest.Wait()
		close(goOn)
		time.Sleep(time.Second)
		w.wantRan("before old before update", "after old after update")

		w.source.publish(pack(t, "2"), "r2")
		time.Sleep(time.Minute)
		w.wantRan("after new after update")
		w.wantLive("2")
	})
}

// D15: a clean stop lets current work finish.
func TestStopWaitsForAnUpdateThatHasBegunItsHooks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.source.publish(pack(t, "1"), "r1")
		w.service.Before = hooks.Chain{w.hook("drain", func(ctx context.Context, _ hooks.Event) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(30 * time.Second):
				return nil
			}
		})}
		w.service.After = hooks.Chain{w.hook("start", nil)}
		_, stop := w.start(w.service)
		began := time.Now()
		stop()
		if got := time.Since(began); got != 30*time.Second {
			t.Errorf("the stop took %s, want the 30s of the hook", got)
		}
		w.wantLive("1")
		w.wantRan("before drain update", "after start update")
		if strings.Contains(w.log.String(), "level=ERROR") {
			t.Errorf("a clean stop logged an error:\n%s", w.log)
		}
	})
}

func TestInterruptedUpdateIsRecoveredThenCheckedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.source.publish(pack(t, "1"), "r1")
		w.mustUpdate(dropship.Updated)
		w.service.Before = hooks.Chain{w.killAt("stop", hooks.StatusUpdate)}
		w.source.publish(pack(t, "2"), "r2")
		w.killed()
		w.start(w.service)
		w.wantLive("2")
	})
}
