package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"
)

func signalFaults() []Fault {
	return []Fault{
		{Name: "stop (SIGTERM)", Steps: Steps, Round: stop},
		{Name: "SIGTERM, then kill -9", Steps: Steps, Round: stopThenKill},
		{Name: "second signal", Steps: Steps, Round: secondSignal},
	}
}

// signalled starts an update, sends SIGTERM at its step, does what comes then, and returns when the process has ended.
func signalled(ctx context.Context, r *Round, then func(*Process) error) (m *Machine, p *Process, err error) {
	m, err = disturbed(ctx, r, r.Variant())
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.Close())
		}
	}()
	if p, err = m.startAt(ctx, r, 5*time.Millisecond); err != nil {
		return nil, nil, err
	}
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return nil, nil, err
	}
	if err := then(p); err != nil {
		return nil, nil, err
	}
	_, err = p.Wait(ctx)
	return m, p, err
}

// stop is what a service manager does. An update whose hooks have begun is completed.
func stop(ctx context.Context, r *Round) (_ Seen, err error) {
	m, p, err := signalled(ctx, r, func(*Process) error { return nil })
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	seen, err := m.Struck()
	if err != nil {
		return "", err
	}
	// At the very beginning no signal is caught yet.
	if code := p.cmd.ProcessState.ExitCode(); code == -1 && r.Step != "check" || code > 1 || code == 1 && m.Variant.Agent {
		return "", fmt.Errorf("after SIGTERM the process ended with %d:\n%s", code, p.Log())
	}
	st, err := m.state()
	if err != nil {
		return "", err
	}
	if r.Step != "check" && (st.Journal != nil || st.Unfinished != nil) {
		return "", fmt.Errorf("after SIGTERM the update is not complete; its journal is %s:\n%s", st.Journal, p.Log())
	}
	if slices.Contains([]string{"before", "switch", "after", "hold", "rollback"}, r.Step) {
		if err := m.checkHooks(); err != nil {
			return "", fmt.Errorf("after SIGTERM: %w", err)
		}
	}
	return seen, m.Recover(ctx)
}

func stopThenKill(ctx context.Context, r *Round) (Seen, error) {
	return broken(ctx, r, func(p *Process) error {
		p.Kill()
		return nil
	})
}

func secondSignal(ctx context.Context, r *Round) (Seen, error) {
	return broken(ctx, r, func(p *Process) error { return p.Signal(syscall.SIGTERM) })
}

// broken breaks the stop of a process off.
func broken(ctx context.Context, r *Round, then func(*Process) error) (_ Seen, err error) {
	m, _, err := signalled(ctx, r, func(p *Process) error {
		select {
		case <-time.After(time.Duration(r.Rand.Int64N(int64(8 * time.Millisecond)))):
		case <-p.done:
		case <-ctx.Done():
		}
		return then(p)
	})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	seen, err := m.Struck()
	if err != nil {
		return "", err
	}
	return seen, m.Recover(ctx)
}
