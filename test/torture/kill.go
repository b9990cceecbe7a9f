package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

func killFaults() []Fault {
	return []Fault{
		{Name: "kill -9 at a random instant", Steps: Steps, Round: killAtRandom},
		{Name: "kill -9 in a hook", Steps: []string{"before", "after", "rollback", "recovery"}, Round: killInHook},
	}
}

// disturbed makes a machine, and publishes the release whose update is to be disturbed at the round's step.
func disturbed(ctx context.Context, r *Round, v Variant) (*Machine, error) {
	m, err := NewMachine(ctx, r, v)
	if err != nil {
		return nil, err
	}
	next := Good(2)
	if r.Step == "rollback" {
		next = Broken(2)
	}
	err = m.Publish(ctx, next)
	if err == nil && r.Step == "recovery" {
		err = m.interrupt(ctx, r)
	}
	if err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// interrupt leaves a journal behind: the update is killed in one of its hooks.
func (m *Machine) interrupt(ctx context.Context, r *Round) error {
	hook := []string{"stop", "start", "check"}[r.Rand.IntN(3)]
	if err := m.mark("kill-"+hook, "update"); err != nil {
		return err
	}
	return m.runKilled(ctx)
}

// runKilled runs an update that ends by kill -9 of its own accord.
func (m *Machine) runKilled(ctx context.Context) error {
	p, err := m.Start(ctx, m.Command(), nil)
	if err != nil {
		return err
	}
	code, err := p.Wait(ctx)
	if err == nil && code != -1 {
		err = fmt.Errorf("the process was not killed in its hook; it ended with %d:\n%s", code, p.Log())
	}
	return err
}

// killAtRandom kills at some instant after a step has begun.
func killAtRandom(ctx context.Context, r *Round) (_ Seen, err error) {
	m, err := disturbed(ctx, r, r.Variant())
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	p, err := m.startAt(ctx, r, 15*time.Millisecond)
	if err != nil {
		return "", err
	}
	p.Kill()
	if _, err := p.Wait(ctx); err != nil {
		return "", err
	}
	seen, err := m.Struck()
	if err != nil {
		return "", err
	}
	return seen, m.Recover(ctx)
}

// startAt starts the update, and returns at some instant within that time after the round's step has begun, or when
// the process has ended.
func (m *Machine) startAt(ctx context.Context, r *Round, within time.Duration) (*Process, error) {
	if r.Step == "reload" {
		if err := m.mark("hang-stop", ""); err != nil {
			return nil, err
		}
	}
	p, err := m.Start(ctx, m.Command(), nil)
	if err != nil {
		return nil, err
	}
	if r.Step == "reload" {
		if err := m.reload(ctx, p); err != nil {
			return nil, err
		}
	}
	if _, err := p.Reach(ctx, r.Step); err != nil {
		return nil, err
	}
	select {
	case <-time.After(time.Duration(r.Rand.Int64N(int64(within)))):
	case <-p.done:
	case <-ctx.Done():
	}
	return p, nil
}

// reload lets a running agent, whose update waits in its before hook, take over a configuration that changes the
// service, and then lets the hook go on.
func (m *Machine) reload(ctx context.Context, p *Process) error {
	if _, err := p.Reach(ctx, "before"); err != nil {
		return err
	}
	if err := m.Configure("  hash = \"00000000000000000000000000000000\"\n"); err != nil {
		return err
	}
	if err := p.Signal(syscall.SIGHUP); err != nil {
		return err
	}
	if _, err := p.Reach(ctx, "reload"); err != nil {
		return err
	}
	return os.Remove(m.path("hang-stop"))
}

// killInHook lets a hook kill the process that runs it.
func killInHook(ctx context.Context, r *Round) (_ Seen, err error) {
	v := r.Variant()
	m, err := NewMachine(ctx, r, v)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	next := Good(2)
	if r.Step == "rollback" {
		next = Broken(2)
	}
	if err := m.Publish(ctx, next); err != nil {
		return "", err
	}
	other := r.Number / len(layouts) % 2
	var kills [][2]string // one after another: the hook, and the status of the update
	switch r.Step {
	case "before":
		kills = [][2]string{{"stop", "update"}}
	case "after":
		kills = [][2]string{{[]string{"start", "check"}[other], "update"}}
	case "rollback":
		kills = [][2]string{{[]string{"stop", "start"}[other], "rollback"}}
	case "recovery":
		kills = [][][2]string{
			{{"stop", "update"}, {"start", "failed"}, {"check", "failed"}},
			{{"start", "update"}, {"check", "update"}}, // a third one would be the release's doing
		}[other]
	}
	for _, kill := range kills {
		if err := m.mark("kill-"+kill[0], kill[1]); err != nil {
			return "", err
		}
		if err := m.runKilled(ctx); err != nil {
			return "", err
		}
	}
	seen, err := m.Struck()
	if err != nil {
		return "", err
	}
	return seen, m.Recover(ctx)
}
