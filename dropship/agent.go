package dropship

import (
	"context"
	"maps"
	"sync"
	"time"
)

// An Agent keeps services up to date: one loop for each, side by side.
type Agent struct {
	m     *Machine
	hub   Hub
	live  *tracker
	first firsts

	mu    sync.Mutex
	ctx   context.Context // of Start; nil before it
	began time.Time       // then
	loops map[string]*loop
	wg    sync.WaitGroup
}

// NewAgent returns an agent for a machine.
func NewAgent(m *Machine) *Agent {
	a := &Agent{m: m, live: newTracker(), first: make(firsts, firstAtOnce), loops: make(map[string]*loop)}
	m.Observe(a.live)
	m.Observe(&a.hub)
	return a
}

// Start begins to keep the services up to date, until ctx ends, and returns at once. It is called once.
func (a *Agent) Start(ctx context.Context, services []*Service) {
	a.mu.Lock()
	a.ctx, a.m.stopping, a.began = ctx, ctx, time.Now()
	a.mu.Unlock()
	a.Reload(services)
}

// Wait returns when the context of Start has ended, and every update that had begun its before chain is through.
func (a *Agent) Wait() {
	<-a.ctx.Done()
	// Once the lock was free and ctx has ended, Reload starts nothing any more. It is not kept: the agent is asked what
	// it does also while it completes an update.
	a.mu.Lock()
	a.mu.Unlock() //nolint:staticcheck // as it says above
	a.wg.Wait()
}

// Reload makes services the ones that the agent keeps up to date. A service whose Fingerprint is the same goes
// on undisturbed, its timer too. One that changed, or is gone, ends: at once, or, if its update has begun its
// before chain, when that update is through, with its old configuration; its new loop starts after that.
// What a service that is gone has installed stays. What failed and is held back is tried again at its next check.
// Reload does not wait for any of this.
func (a *Agent) Reload(services []*Service) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ctx == nil || a.ctx.Err() != nil {
		return
	}
	wanted := make(map[string]*Service, len(services))
	for _, s := range services {
		wanted[s.Name] = s
	}
	a.m.attempts.forget()      // whoever reloads may have mended what failed, in no file of ours
	ours := maps.Clone(wanted) // or were until now: who completes them has their configuration still
	for name, l := range a.loops {
		ours[name] = l.service
		if s := wanted[name]; s == nil || s.Fingerprint != l.service.Fingerprint {
			l.stop()
			if s == nil {
				delete(a.loops, name)
				a.live.forget(name)
				a.m.Logger.Info("service removed: what it installed stays", "service", name)
			}
		}
	}
	for _, s := range services {
		old := a.loops[s.Name]
		if old != nil && s.Fingerprint == old.service.Fingerprint {
			continue
		}
		a.loops[s.Name] = a.start(s, old)
	}
	for _, name := range a.m.Store.Interrupted(func(name string) bool { return ours[name] != nil }) {
		a.m.Logger.Error("an update of a service that is not configured any more was interrupted: its after hooks have not run",
			"service", name, "state", a.m.Store.path(name))
	}
}

// start runs a loop for s once the loop before it, if any, has ended.
func (a *Agent) start(s *Service, old *loop) *loop {
	ctx, stop := context.WithCancel(a.ctx)
	l := &loop{
		service: s, m: a.m, log: a.m.Logger.With("service", s.Name), began: a.began, first: a.first,
		stop: stop, done: make(chan struct{}), wake: make(chan struct{}, 1),
	}
	a.wg.Go(func() {
		defer l.end()
		defer stop()
		if old != nil {
			<-old.done
		}
		l.run(ctx)
	})
	return l
}
