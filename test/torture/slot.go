package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/dropship/dropship/lock"
	"github.com/dropship/dropship/lock/consul"
)

func slotFaults() []Fault {
	steps := []string{"slot", "before", "switch", "after", "hold"}
	return []Fault{
		{Name: "session destroyed", Steps: steps, Round: sessionDestroyed},
		{Name: "SIGSTOP past the TTL", Steps: steps, Round: stopped},
	}
}

// withSlot is the round's variant as one that takes turns, and as an agent, which tries again.
func (r *Round) withSlot() Variant {
	v := r.Variant()
	v.Slot, v.Agent = true, true
	return v
}

// sessionDestroyed ends the machine's session in Consul, as an operator does.
func sessionDestroyed(ctx context.Context, r *Round) (_ Seen, err error) {
	m, err := disturbed(ctx, r, r.withSlot())
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	p, err := m.startAt(ctx, r, 15*time.Millisecond)
	if err != nil {
		return "", err
	}
	client, err := api.NewClient(&api.Config{Address: r.Servers.Consul.Address})
	if err != nil {
		return "", err
	}
	pairs, _, err := client.KV().List("dropship/slots/"+m.group()+"/", (&api.QueryOptions{RequireConsistent: true}).WithContext(ctx))
	if err != nil {
		return "", err
	}
	for _, pair := range pairs {
		if pair.Session == "" {
			continue
		}
		if _, err := client.Session().Destroy(pair.Session, (&api.WriteOptions{}).WithContext(ctx)); err != nil {
			return "", err
		}
	}
	seen, err := m.Struck()
	if err != nil {
		return "", err
	}
	return seen, m.goOn(ctx, p)
}

// stopped stops the agent until another machine has its turn, and lets it go on while that one still has it. If it was
// stopped in its before hook, it must not switch before the other one has given its turn back.
func stopped(ctx context.Context, r *Round) (_ Seen, err error) {
	m, err := disturbed(ctx, r, r.withSlot())
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	inHook := r.Step == "before"
	if inHook {
		if err := m.mark("hang-stop", ""); err != nil {
			return "", err
		}
	}
	p, err := m.startAt(ctx, r, 15*time.Millisecond)
	if err != nil {
		return "", err
	}
	if inHook {
		if err := m.hookBegan(ctx, p); err != nil {
			return "", err
		}
	}
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, p.Signal(syscall.SIGCONT)) }()
	other, err := m.otherTurn(ctx, r)
	if err != nil {
		return "", fmt.Errorf("the slot of a stopped machine does not come free: %w", err)
	}
	seen, err := m.Struck()
	if err == nil && inHook {
		err = os.Remove(m.path("hang-stop"))
	}
	if err == nil {
		err = p.Signal(syscall.SIGCONT)
	}
	if err == nil && inHook {
		err = m.staysOld(ctx, p)
	}
	if err := errors.Join(err, other.Check(ctx), other.Release(ctx)); err != nil {
		return "", err
	}
	return seen, m.goOn(ctx, p)
}

// hookBegan waits until the before hook of the update runs.
func (m *Machine) hookBegan(ctx context.Context, p *Process) error {
	return m.until(ctx, p, "the before hook to begin", func() bool {
		b, err := os.ReadFile(m.path("hooks.log"))
		lines := strings.Split(strings.TrimSpace(string(b)), "\n")
		return err == nil && strings.HasPrefix(lines[len(lines)-1], "stop begin update ")
	})
}

// staysOld waits until the agent has found that its turn is over, and checks that it has not switched.
func (m *Machine) staysOld(ctx context.Context, p *Process) error {
	err := m.until(ctx, p, "the agent to notice that it has lost its slot", func() bool { return strings.Contains(p.Log(), lock.ErrLost.Error()) })
	if err != nil {
		return err
	}
	if got, err := m.look(); err != nil || got != m.old {
		return fmt.Errorf("the agent switched to %s in another machine's turn: %w", got, err)
	}
	return nil
}

func (m *Machine) until(ctx context.Context, p *Process, what string, done func() bool) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-p.done:
			return fmt.Errorf("waited for %s, and the agent ended:\n%s", what, p.Log())
		case <-ctx.Done():
			return fmt.Errorf("waited in vain for %s: %w; the agent's log:\n%s", what, context.Cause(ctx), p.Log())
		}
	}
	return nil
}

// otherTurn is the turn of another machine of the group.
func (m *Machine) otherTurn(ctx context.Context, r *Round) (lock.Lease, error) {
	file, diags := hclsyntax.ParseConfig([]byte(`ttl = "60s"`), "lock.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		return nil, diags
	}
	l, diags := consul.New(consul.Connection{Address: r.Servers.Consul.Address}, file.Body, nil)
	if diags.HasErrors() {
		return nil, diags
	}
	return l.Acquire(ctx, lock.Request{
		Group: m.group(), Slots: 1, Holder: lock.Holder{Host: "another", PID: os.Getpid(), Service: "app", UpdateID: "another"},
	})
}

// goOn lets the agent come to rest, ends it and checks everything.
func (m *Machine) goOn(ctx context.Context, p *Process) error {
	if err := m.Settle(ctx, p); err != nil {
		return err
	}
	if err := p.Stop(ctx); err != nil {
		return err
	}
	return m.Check(ctx)
}
