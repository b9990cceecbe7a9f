package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"
)

func killFaults() []Fault {
	return []Fault{
		{Name: "kill -9 at a random instant", Steps: Steps, Round: killAtRandom},
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
	if err := m.Publish(ctx, next); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	if r.Step == "recovery" {
		err = m.interrupt(ctx, r)
	}
	if err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

// interrupt leaves a journal behind: the update is killed in one of its hooks.
func (m *Machine) interrupt(ctx context.Context, r *Round) error {
	hook := []string{"stop", "start"}[r.Number/2%2]
	if err := m.mark("kill-" + hook); err != nil {
		return err
	}
	p, err := m.Start(ctx, m.Command(), nil)
	if err != nil {
		return err
	}
	code, err := p.Wait(ctx)
	if err == nil && code != -1 {
		err = fmt.Errorf("the update was not killed in its hook; it ended with %d:\n%s", code, p.Log())
	}
	return err
}

// killAtRandom kills at some instant within a step: for a third of the rounds right at its beginning.
func killAtRandom(ctx context.Context, r *Round) (_ Seen, err error) {
	m, err := disturbed(ctx, r, r.Variant())
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	p, err := m.Start(ctx, m.Command(), nil)
	if err != nil {
		return "", err
	}
	if r.Step == "reload" {
		if err := m.reload(ctx, p); err != nil {
			return "", err
		}
	}
	if _, err := p.Reach(ctx, r.Step); err != nil {
		return "", err
	}
	select {
	case <-time.After(time.Duration(r.Rand.Int64N(int64(15 * time.Millisecond)))):
	case <-p.done:
	case <-ctx.Done():
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

// reload tells a running agent to take over a configuration that changes the service, as soon as it updates.
func (m *Machine) reload(ctx context.Context, p *Process) error {
	if _, err := p.Reach(ctx, "before"); err != nil {
		return err
	}
	if err := m.Configure("  hash = \"00000000000000000000000000000000\"\n"); err != nil {
		return err
	}
	return p.Signal(syscall.SIGHUP)
}
