package dropship_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
)

// bubbleStart is when a bubble of synctest begins, as people read it.
var bubbleStart = dropship.LocalTime(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))

// Each state that a service can be in has its one reason, in one line, and says what would change it.
func TestReasons(t *testing.T) {
	t.Parallel()
	fails := func(err error) func(context.Context, hooks.Event) error {
		return func(_ context.Context, ev hooks.Event) error {
			if ev.Status == hooks.StatusFailed {
				return nil
			}
			return err
		}
	}
	broken := errors.New("it is broken:\nsee the log\x1b[31m")
	tests := []struct {
		name   string
		bring  func(w *world) // about
		after  time.Duration
		code   dropship.ReasonCode
		text   string
		remedy string
	}{
		{"up to date", nil, 0, dropship.ReasonUpToDate, "up to date at " + md5Hex(pack(t, "1")), ""},
		{
			"unreachable", func(w *world) { w.source.set(func(s *source) { s.err = errors.New("connection refused") }) }, time.Minute,
			dropship.ReasonUnreachable, "repository unreachable since " + bubbleStart + ": connection refused (tried again at ", "mend the repository",
		},
		{"absent", func(w *world) { w.source.publish(nil, "") }, 0, dropship.ReasonAbsent, "artifact absent since " + bubbleStart + ": cannot stat mem://bucket/web.tar.gz: artifact does not exist", "publish the artifact"},
		{"verification", func(w *world) {
			w.source.set(func(s *source) { s.tamper = func(b []byte) []byte { b[5] ^= 1; return b } })
		}, 0, dropship.ReasonVerification, "verification failed since " + bubbleStart + ": ", "publish the artifact anew"},
		{"verification, held back", func(w *world) {
			w.source.set(func(s *source) { s.tamper = func(b []byte) []byte { b[5] ^= 1; return b } })
		}, 10 * time.Minute, dropship.ReasonVerification, "verification failed since " + bubbleStart + ": ", "publish the artifact anew"},
		{"disk full", func(w *world) {
			w.source.set(func(s *source) { s.err = fmt.Errorf("cannot write: %w", syscall.ENOSPC) })
		}, 0, dropship.ReasonDiskFull, "disk full since " + bubbleStart + ": cannot write: no space left on device (tried again at ", "make room"},
		{
			"no slot", func(w *world) { w.takesTurns(); w.locker.err = errors.New("consul is down") }, 0,
			dropship.ReasonLock, "no slot since " + bubbleStart + ": consul is down (tried again at ", "mend the lock service",
		},
		{"given up just now", func(w *world) {
			w.mustUpdate(dropship.Updated)
			w.source.publish(pack(w.t, "2"), "r2")
			w.service.Before = hooks.Chain{w.hook("stop", fails(broken))}
		}, 0, dropship.ReasonBackingOff, "failing since " + bubbleStart + ": before hook 1, stop: it is broken: see the log [31m", "dropship retry web"},
		{"backing off", func(w *world) {
			w.mustUpdate(dropship.Updated)
			w.source.publish(pack(w.t, "2"), "r2")
			w.service.Before = hooks.Chain{w.hook("stop", fails(broken))}
		}, 10 * time.Minute, dropship.ReasonBackingOff, "failing since " + bubbleStart + ": before hook 1, stop: it is broken: see the log [31m", "dropship retry web"},
		{"quarantined", func(w *world) {
			w.mustUpdate(dropship.Updated)
			w.source.publish(pack(w.t, "2"), "r2")
			w.service.After = hooks.Chain{w.hook("check", func(context.Context, hooks.Event) error {
				if w.live() == "2" {
					return broken
				}
				return nil
			})}
		}, time.Minute, dropship.ReasonQuarantined, "quarantined: hash " + md5Hex(pack(t, "2")) + " failed on web-01 at " + bubbleStart + ": after hook 1, check: it is broken", "dropship retry web"},
		{"failed, and checked since", func(w *world) {
			w.mustUpdate(dropship.Updated)
			w.source.publish(pack(w.t, "2"), "r2")
			w.service.After = hooks.Chain{w.hook("check", func(_ context.Context, ev hooks.Event) error {
				if ev.Status == hooks.StatusFailed {
					return nil
				}
				return broken
			})}
		}, 10 * time.Minute, dropship.ReasonFailed, "failed at " + bubbleStart + ": the previous release is back and its after chain fails: ", "look into it"},
		{"not in order, and paused", func(w *world) {
			w.mustUpdate(dropship.Updated)
			w.source.publish(pack(w.t, "2"), "r2")
			w.service.Before = hooks.Chain{w.hook("stop", fails(broken))}
			w.service.After = hooks.Chain{w.hook("start", func(context.Context, hooks.Event) error {
				_ = w.machine.Store.Pause("web", dropship.Pause{By: "ann@web-01", Since: time.Now()})
				return broken
			})}
		}, 10 * time.Minute, dropship.ReasonUnfinished, "start still to run: ", "mend what those hooks need"},
		{"failed", func(w *world) {
			w.service.After = hooks.Chain{w.hook("check", fails(broken))}
		}, 0, dropship.ReasonFailed, "failed at " + bubbleStart + ": nothing was installed before, so there is nothing to go back to, and hash " + md5Hex(pack(t, "1")) + " is quarantined: after hook 1, check: it is broken", "look into it"},
		{"not in order", func(w *world) {
			w.mustUpdate(dropship.Updated)
			w.source.publish(pack(w.t, "2"), "r2")
			w.service.Before = hooks.Chain{w.hook("stop", func(context.Context, hooks.Event) error {
				w.source.publish(pack(w.t, "1"), "r1")
				return broken
			})}
			w.service.After = hooks.Chain{w.hook("maintenance off", func(context.Context, hooks.Event) error { return broken })}
		}, 30 * time.Second, dropship.ReasonUnfinished, "maintenance off still to run", "they are run again"},
		{"busy", func(w *world) {
			unlock, err := w.machine.Store.Lock("web")
			if err != nil {
				w.t.Fatal(err)
			}
			w.t.Cleanup(unlock)
		}, 0, dropship.ReasonBusy, "busy since " + bubbleStart + ": another dropship process is working on this service", "wait for that process"},
		{"updating", func(w *world) {
			w.service.Before = hooks.Chain{w.hook("stop", func(context.Context, hooks.Event) error { time.Sleep(time.Second); return nil })}
		}, 0, dropship.ReasonUpdating, "step before since " + bubbleStart + ", before hook 1, stop", "wait for its end"},
		{
			"waiting", func(w *world) { w.queues() }, time.Minute, dropship.ReasonWaiting,
			"waiting for a slot of group web for 1m0s: held by web-07 (pid 12, service web), in line since " +
				dropship.LocalTime(time.Date(1999, 12, 31, 23, 59, 0, 0, time.UTC)) + ", as of " + bubbleStart, "wait for its turn",
		},
		{"paused", func(w *world) {
			if err := w.machine.Store.Pause("web", dropship.Pause{By: "ann@web-01", Reason: "freeze", Since: time.Now()}); err != nil {
				w.t.Fatal(err)
			}
		}, 0, dropship.ReasonPaused, "paused by ann@web-01 since " + bubbleStart + ": freeze", "dropship resume web"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.source.publish(pack(t, "1"), "r1")
				if tt.bring != nil {
					tt.bring(w)
				}
				a, _ := w.start(w.service)
				time.Sleep(tt.after)
				synctest.Wait()
				got := status(t, a).Reason
				if got.Code != tt.code || !strings.Contains(got.Text, tt.text) || !strings.Contains(got.Remedy, tt.remedy) {
					t.Errorf("got %+v, want %s, %q, %q\n%s", got, tt.code, tt.text, tt.remedy, w.log)
				}
				if strings.ContainsAny(got.Text+got.Remedy, "\n\x1b") {
					t.Errorf("it is no line: %q", got.Text)
				}
			})
		})
	}
}

func TestReasonBeforeTheFirstCheckIsThrough(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.source.publish(pack(t, "1"), "r1")
		w.source.set(func(s *source) { s.onStat = func() { time.Sleep(time.Second) } })
		a, _ := w.start(w.service)
		want := "not checked yet, since the agent started: asking for mem://bucket/web.tar.gz, since " + bubbleStart
		if got := status(t, a).Reason; got.Code != dropship.ReasonNotChecked || got.Text != want {
			t.Errorf("got %+v, want %q", got, want)
		}
	})
}

// A configuration that was rejected is the reason where the service's own file is wrong, or there is no such service.
func TestReasonOfARejectedConfiguration(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.service.File = "/etc/dropship.d/services/web.hcl"
		w.source.publish(pack(t, "1"), "r1")
		a, _ := w.start(w.service)
		if _, err := a.Why(t.Context(), "shop"); !errors.Is(err, dropship.ErrUnknownService) {
			t.Errorf("got error %v, want ErrUnknownService", err)
		}
		reject := func(file string) {
			a.Reject(&dropship.Rejected{At: time.Now(), Error: file + ":3:5: Unknown argument", Files: []string{file}})
		}
		reject("/etc/dropship.d/services/shop.hcl")
		if got, err := a.Why(t.Context(), "web"); err != nil || got.Code != dropship.ReasonUpToDate {
			t.Errorf("another file is wrong: got %+v, %v", got, err)
		}
		if got, err := a.Why(t.Context(), "shop"); err != nil || got.Code != dropship.ReasonConfiguration || !strings.Contains(got.Text, "shop.hcl:3:5") {
			t.Errorf("what may be in that file: got %+v, %v", got, err)
		}
		reject(w.service.File)
		if got, err := a.Why(t.Context(), "web"); err != nil || got.Code != dropship.ReasonConfiguration || !strings.Contains(got.Text, "web.hcl:3:5") {
			t.Errorf("its own file is wrong: got %+v, %v", got, err)
		}
		a.Reject(nil)
		if got, err := a.Why(t.Context(), "web"); err != nil || got.Code != dropship.ReasonUpToDate {
			t.Errorf("mended: got %+v, %v", got, err)
		}
	})
}
