package dropship_test

import (
	"context"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
)

// deadly returns a step in which the process dies whenever dies says so.
func (w *world) deadly(name string, dies func(ev hooks.Event) bool) hooks.Step {
	return w.hook(name, func(_ context.Context, ev hooks.Event) error {
		if dies(ev) {
			runtime.Goexit()
		}
		return nil
	})
}

func always(hooks.Event) bool { return true }

// outlive starts the process again until it does not die, and returns how often it died and what came of the last one.
func (w *world) outlive() (deaths int, r dropship.Result, err error) {
	w.t.Helper()
	for ; deaths < 50; deaths++ {
		done := make(chan struct{})
		died := true
		go func() {
			defer close(done)
			r, err = w.update()
			for err == nil && r.Outcome == dropship.Recovered {
				r, err = w.update()
			}
			died = false
		}()
		<-done
		if !died {
			return deaths, r, err
		}
		w.restart()
	}
	w.t.Fatalf("it dies for ever\n%s", w.log)
	return deaths, r, err
}

// A release that kills the agent, or the machine, in its after chain would do so at each start, on one machine after
// the other.
func TestReleaseThatKillsTheAgentIsRolledBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.Updated)
	w.takesTurns()
	w.service.After = hooks.Chain{
		w.hook("start", nil),
		w.deadly("check", func(hooks.Event) bool { return w.live() == "bad" }),
		w.hook("maintenance off", nil),
	}
	w.source.publish(pack(t, "bad"), "r2")
	for range 3 {
		w.killed()
		w.wantLive("bad")
	}
	w.wantRan("after start update", "after check update", "after check update", "after check update")
	w.locker.acquired, w.locker.released = 0, 0
	r, err := w.update()
	if want := "after hook 2, check: the agent was killed 3 times, the last time in this hook"; r.Outcome != dropship.RolledBack || err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %q, %v, want it rolled back, and %q", r.Outcome, err, want)
	}
	w.wantRan("after start rollback", "after check rollback", "after maintenance off rollback")
	w.wantLive("1")
	if w.locker.acquired != 1 || w.locker.released != 1 {
		t.Errorf("got %d slots acquired and %d released for the rollback, want one", w.locker.acquired, w.locker.released)
	}
	w.mustUpdate(dropship.Quarantine)
	w.source.publish(pack(t, "3"), "r3")
	w.mustUpdate(dropship.Updated)
}

// Twice is bad luck: a machine that lost its power, and lost it again while it started.
func TestKilledTwiceInTheAfterChainIsCompleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.Updated)
	deaths := 0
	w.service.After = hooks.Chain{w.deadly("start", func(hooks.Event) bool { deaths++; return deaths <= 2 })}
	w.source.publish(pack(t, "2"), "r2")
	if got, r, err := w.outlive(); got != 2 || r.Outcome != dropship.UpToDate || err != nil {
		t.Errorf("got %d deaths, %q, %v, want it completed after two", got, r.Outcome, err)
	}
	w.wantLive("2")
}

// Whatever hook is deadly, at whatever status: there is an end to it, and all other after hooks have run by then.
func TestHookThatAlwaysKillsTheAgentComesToAnEnd(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		first       bool // install
		before      func(*world) hooks.Chain
		after       func(*world) hooks.Chain
		deaths      int
		outcome     dropship.Outcome
		step        dropship.Step
		live        string
		last        string // hook that ran
		quarantined bool
	}{
		"after": {
			after: func(w *world) hooks.Chain {
				return hooks.Chain{w.hook("start", nil), w.deadly("check", always), w.hook("maintenance off", nil)}
			},
			deaths: 6, outcome: dropship.Failed, step: dropship.StepRollback, live: "1", last: "after maintenance off failed", quarantined: true,
		},
		"first install": {
			first: true,
			after: func(w *world) hooks.Chain {
				return hooks.Chain{w.deadly("start", always), w.hook("maintenance off", nil)}
			},
			deaths: 3, outcome: dropship.Failed, step: dropship.StepAfter, live: "2", last: "after maintenance off failed", quarantined: true,
		},
		"all after hooks": {
			after: func(w *world) hooks.Chain {
				return hooks.Chain{w.deadly("start", always), w.deadly("check", always), w.deadly("maintenance off", always)}
			},
			deaths: 4 * 3, outcome: dropship.Failed, step: dropship.StepBefore, live: "1", last: "after maintenance off failed", quarantined: true,
		},
		"before, in the rollback": {
			before: func(w *world) hooks.Chain {
				return hooks.Chain{w.deadly("stop", func(ev hooks.Event) bool { return ev.Status == hooks.StatusRollback })}
			},
			after:  func(w *world) hooks.Chain { return hooks.Chain{w.hook("start", nil), w.brokenAt("2")} },
			deaths: 3, outcome: dropship.RolledBack, step: dropship.StepAfter, live: "1", last: "after check rollback", quarantined: true,
		},
		// What is to be installed need not be to blame: it is tried again, less and less often.
		"before": {
			before: func(w *world) hooks.Chain { return hooks.Chain{w.deadly("stop", always)} },
			after:  func(w *world) hooks.Chain { return hooks.Chain{w.hook("start", nil)} },
			deaths: 3, step: dropship.StepBefore, live: "1", last: "after start failed",
		},
		"before and after": {
			before: func(w *world) hooks.Chain { return hooks.Chain{w.deadly("stop", always)} },
			after: func(w *world) hooks.Chain {
				return hooks.Chain{w.hook("start", nil), w.deadly("check", always), w.hook("maintenance off", nil)}
			},
			deaths: 2 * (1 + 3), step: dropship.StepBefore, live: "1", last: "after maintenance off failed",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			if !tt.first {
				w.source.publish(pack(t, "1"), "r1")
				w.mustUpdate(dropship.Updated)
			}
			if tt.before != nil {
				w.service.Before = tt.before(w)
			}
			w.service.After = tt.after(w)
			w.source.publish(pack(t, "2"), "r2")
			deaths, r, err := w.outlive()
			if deaths != tt.deaths || r.Outcome != tt.outcome || stepOf(t, err) != tt.step {
				t.Errorf("got %d deaths, outcome %q, error %v, want %d, %q, an error at %s", deaths, r.Outcome, err, tt.deaths, tt.outcome, tt.step)
			}
			w.wantLive(tt.live)
			if ran := w.took(); ran[len(ran)-1] != tt.last || !tt.first && !slices.ContainsFunc(ran, func(hook string) bool { return strings.HasPrefix(hook, "after start ") }) {
				t.Errorf("hooks: got %q, want %q to be the last", ran, tt.last)
			}
			st := w.state()
			if st.Journal != nil || st.Unfinished != nil || (len(st.Quarantine) == 1) != tt.quarantined {
				t.Errorf("got the journal %+v, unfinished %+v, quarantined %+v", st.Journal, st.Unfinished, st.Quarantine)
			}
			// Nothing of it is run again at the next check.
			if _, err := w.update(); err != nil && !strings.Contains(err.Error(), "tried again in") {
				t.Errorf("got %v", err)
			}
			w.wantRan()
		})
	}
}

// What stays away because it is quarantined leaves a machine with nothing: that is no state to be quiet about.
func TestDeletedDestinationWhoseHashIsQuarantinedIsTrouble(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.Updated)
	w.service.After = hooks.Chain{w.brokenAt("bad")}
	w.source.publish(pack(t, "bad"), "r2")
	if r, _ := w.update(); r.Outcome != dropship.RolledBack {
		t.Fatalf("got %q", r.Outcome)
	}
	if r := w.mustUpdate(dropship.Quarantine); r.Hash != md5Hex(pack(t, "1")) {
		t.Errorf("installed: got %q", r.Hash)
	}
	w.took()
	if err := os.RemoveAll(w.service.Site.Destination()); err != nil {
		t.Fatal(err)
	}
	r, err := w.update()
	if r.Outcome != dropship.Quarantine || r.Hash != "" || stepOf(t, err) != dropship.StepCheck {
		t.Errorf("got %q at %q, %v, want an error at the check, and nothing installed", r.Outcome, r.Hash, err)
	}
	for _, want := range []string{"nothing is at the destination", "dropship retry web", "503 from the application"} {
		if err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
	w.wantRan()
	w.wantLive("")
	w.source.publish(pack(t, "3"), "r3")
	w.mustUpdate(dropship.Updated)
	w.wantLive("3")
}
