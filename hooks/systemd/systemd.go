// Package systemd is the hook that starts, stops, restarts or reloads a unit, over systemd's own D-Bus
// interface: no shell, no systemctl, and an error that says what became of the unit.
//
//	before "systemd" { stop  = "my-service" }
//	after "systemd"  { start = "my-service" }
//
// It waits for the job that systemd makes of it, and then looks at the unit: a job to start a program
// of Type=simple is done before the program has run a single instruction. The error of a unit that
// failed has its last lines in the journal.
package systemd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/dropship/dropship/hooks"
)

// An action is what is done to a unit; it is the name of the attribute, too.
type action string

const (
	start           action = "start"
	stop            action = "stop"
	restart         action = "restart"
	reload          action = "reload"
	reloadOrRestart action = "reloadOrRestart"
)

// verb is the action as a word of a sentence.
func (a action) verb() string {
	if a == reloadOrRestart {
		return "reload or restart"
	}
	return string(a)
}

const (
	// watch is how long a program of which systemd learns nothing is looked at, and one that was stopped and that
	// something else may start.
	watch = time.Second
	// look is the pause between two looks at it.
	look = 50 * time.Millisecond
)

// Hook does one thing to one unit.
type Hook struct {
	action action
	unit   string // with its suffix
	at     place
}

var _ hooks.Hook = (*Hook)(nil)

// String returns "systemd ", the action and the unit.
func (h *Hook) String() string { return fmt.Sprintf("systemd %s %s", h.action, h.unit) }

// Run has systemd do it, and returns nil once it is done and the unit is as it should be. When ctx ends first,
// systemd's job is cancelled: nothing of it happens later, in the middle of whatever comes next.
// What systemd has begun goes on without the job: a program that starts stays, one that was asked to stop still ends.
//
// systemd that closes its connections, as it does when an upgrade of its package makes it execute itself
// anew, is asked again by a new one, and the job that it still has is waited for.
func (h *Hook) Run(ctx context.Context, _ hooks.Event) error {
	if err := h.run(ctx); err != nil {
		return fmt.Errorf("cannot %s %s: %w", h.action.verb(), h.unit, err)
	}
	return nil
}

func (h *Hook) run(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	began := time.Now()
	m := &manager{place: h.at}
	defer m.close()
	before, err := h.prepare(ctx, m)
	if err != nil {
		return because(ctx, err)
	}
	result, err := runJob(ctx, m, h.action, h.unit)
	if err != nil {
		return h.explain(ctx, began, because(ctx, err))
	}
	after, err := h.settle(ctx, m, before)
	if err != nil {
		return because(ctx, err)
	}
	if err := h.action.verdict(result, before, after); err != nil {
		return h.explain(ctx, began, err)
	}
	return nil
}

// prepare looks whether there is anything that can be done to the unit, and has systemd read unit files that
// have changed. It returns the unit's state.
func (h *Hook) prepare(ctx context.Context, m *manager) (state, error) {
	s, err := m.state(ctx, h.unit)
	if err != nil {
		return state{}, err
	}
	// A release may bring its own unit file. A stop is different: what runs was started by the old one.
	if s.needReload && h.action != stop {
		if err := m.reload(ctx); err != nil {
			return state{}, fmt.Errorf("its unit file has changed, and systemd does not load it: %w", err)
		}
		if s, err = m.state(ctx, h.unit); err != nil {
			return state{}, err
		}
	}
	if err := s.loadable(h.action, h.unit); err != nil {
		return state{}, err
	}
	if h.action == stop || h.action == restart {
		own, err := m.unitOf(ctx, os.Getpid())
		if err != nil {
			return state{}, err
		}
		if own != "" && own == s.id {
			return state{}, errors.New("dropship runs in this unit itself, and would wait for its own end: " +
				"let `systemctl restart --no-block` do it, in a script hook that is the last of its chain")
		}
	}
	if h.action == start || h.action == restart || h.action == reloadOrRestart {
		// Starts of the release before, which may have crashed again and again, are no reason to refuse this one's.
		return s, m.resetFailed(ctx, h.unit)
	}
	return s, nil
}

// settle returns the unit's state after the job. Where that is hearsay, or about to be another one, it goes on looking
// for a while.
func (h *Hook) settle(ctx context.Context, m *manager, before state) (state, error) {
	restarts := before.restarts
	if h.action != reload && h.action != stop {
		restarts = 0 // by resetFailed
	}
	for until := time.Now().Add(watch); ; {
		now, err := m.state(ctx, h.unit)
		if err != nil {
			return state{}, err
		}
		now.restarted = now.restarts > restarts
		open := now.hasJob || now.active == "deactivating" || now.isHearsay(h.action) && !now.restarted
		if h.action == stop && !open && !now.isUp() {
			if open, err = m.anyActive(ctx, now.triggeredBy); err != nil {
				return state{}, err
			}
		}
		if !open || time.Now().After(until) {
			return now, nil
		}
		if err := sleep(ctx, look); err != nil {
			return state{}, err
		}
	}
}

// explain adds the last lines of the unit in the journal, also after ctx has ended: that is when one wants to know what
// the unit was doing.
func (h *Hook) explain(ctx context.Context, began time.Time, err error) error {
	if lines := journal(ctx, h.unit, began); lines != "" {
		return fmt.Errorf("%w; its last lines in the journal: %q", err, lines)
	}
	return err
}

// because adds the reason why ctx ended.
func because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}

// sleep waits for d, or returns the reason why ctx ended.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
