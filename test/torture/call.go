package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"github.com/dropship/dropship/test/torture/trap"
)

// callSteps are the steps in which dropship itself changes files. In the before chain only its hooks do.
var callSteps = []string{"check", "stage", "slot", "switch", "after", "hold", "rollback", "recovery", "reload"}

func callFaults() []Fault {
	var all []Fault
	for _, f := range []struct {
		name    string
		verdict trap.Verdict
		share   int // there are many calls
	}{
		{"kill -9 at a system call", trap.Verdict{Kill: true}, 6},
		{"I/O error at a system call", trap.Verdict{Errno: syscall.EIO}, 2},
		{"no space at a system call", trap.Verdict{Errno: syscall.ENOSPC}, 2},
	} {
		c := &callFault{verdict: f.verdict, calls: make(map[place]int), struck: make(map[place]map[int]bool)}
		all = append(all, Fault{Name: f.name, Steps: callSteps, Share: f.share, Round: c.round, Places: c.places})
	}
	return all
}

// A callFault strikes at the system calls that change files, one after another: in each round at another one.
type callFault struct {
	verdict trap.Verdict

	mu     sync.Mutex
	calls  map[place]int          // how many there are
	struck map[place]map[int]bool // which were struck
}

// A place is where calls are counted: in each step, for each way to install.
type place struct {
	step   string
	layout int
}

func (f *callFault) places() (struck, known int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for at, n := range f.calls {
		known += n
		struck += len(f.struck[at])
	}
	return struck, known
}

func (f *callFault) round(ctx context.Context, r *Round) (_ Seen, err error) {
	v := r.Variant()
	// The counts of apply are the same from run to run; an agent's timers add to them. An error is more to an agent,
	// which has to live on.
	v.Agent = r.Step == "reload" || !f.verdict.Kill && r.Rand.IntN(2) == 0
	at := place{r.Step, r.Number % len(layouts)}
	n, err := f.count(ctx, r, v, at)
	if err != nil {
		return "", fmt.Errorf("while nothing disturbed it, to count the calls: %w", err)
	}
	m, err := disturbed(ctx, r, v)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, m.Close()) }()

	s := &strike{m: m, step: r.Step, verdict: f.verdict, at: spread(r.Number/len(layouts), n), times: 1}
	if !f.verdict.Kill {
		s.times = []int{1, 1, 3, 8}[r.Rand.IntN(4)] // a disk fails once, or for a while
	}
	p, err := m.start(ctx, r, s.watch)
	if err != nil {
		return "", err
	}
	if err := s.wait(ctx, p); err != nil {
		return "", err
	}
	f.mu.Lock()
	if s.struck() && s.at < n {
		if f.struck[at] == nil {
			f.struck[at] = make(map[int]bool)
		}
		f.struck[at][s.at] = true
	}
	f.mu.Unlock()
	fmt.Fprintf(r.Log, "%s; struck at call %d of step %s: %s\n", v, s.at, r.Step, s.call)

	seen := s.what
	if f.verdict.Kill || seen == "" {
		if seen, err = m.Struck(); err != nil {
			return "", err
		}
	}
	if r.Step == "rollback" && !f.verdict.Kill {
		// A rollback that fails is not tried again by design: the machine waits for another release.
		if err := m.Publish(ctx, Good(3)); err != nil {
			return "", err
		}
	}
	if f.verdict.Kill || !v.Agent {
		return seen, m.Recover(ctx)
	}
	if err := m.Settle(ctx, p); err != nil {
		if strings.Contains(p.Log(), "cannot listen on the socket") {
			return seen, m.Recover(ctx) // it did not start, as it should not: a service manager tries again
		}
		return "", err
	}
	if err := p.Stop(ctx); err != nil {
		return "", err
	}
	return seen, m.Check(ctx)
}

// count returns how many calls there are at a place. The first to ask runs the update once, undisturbed.
func (f *callFault) count(ctx context.Context, r *Round, v Variant, at place) (_ int, err error) {
	f.mu.Lock()
	n := f.calls[at]
	f.mu.Unlock()
	if n > 0 {
		return n, nil
	}
	counting := *r
	counting.Dir = filepath.Join(r.Dir, "count")
	if err := os.Mkdir(counting.Dir, 0o755); err != nil {
		return 0, err
	}
	m, err := disturbed(ctx, &counting, v)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	s := &strike{m: m, step: r.Step, at: math.MaxInt}
	p, err := m.start(ctx, &counting, s.watch)
	if err != nil {
		return 0, err
	}
	if err := s.wait(ctx, p); err != nil {
		return 0, err
	}
	s.mu.Lock()
	n = s.seen
	s.mu.Unlock()
	switch {
	case n == 0 && strings.Contains(p.Log(), "slot lost"): // by a machine that is busy: it does not come so far
		return 1, nil
	case n == 0:
		return 0, fmt.Errorf("there is none in step %s; the log:\n%s", r.Step, p.Log())
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[at] = n
	return n, nil
}

// start starts the update under a watch, and reloads the agent if that is the round's step.
func (m *Machine) start(ctx context.Context, r *Round, watch Watch) (*Process, error) {
	if r.Step != "reload" {
		return m.Start(ctx, m.Command(), watch)
	}
	if err := m.mark("hang-stop", ""); err != nil {
		return nil, err
	}
	p, err := m.Start(ctx, m.Command(), watch)
	if err != nil {
		return nil, err
	}
	return p, m.reload(ctx, p)
}

// spread returns a number below n: over n rounds each of them once, and over a few rounds they lie far apart.
func spread(round, n int) int {
	stride := max(1, n*618/1000)
	for gcd(stride, n) != 1 {
		stride++
	}
	return round * stride % n
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// A strike counts the calls of one step, and decides about those from number `at` on.
type strike struct {
	m       *Machine
	step    string
	at      int
	times   int
	verdict trap.Verdict

	// Written by watch, which only the trap's goroutine calls; read after wait.
	mu   sync.Mutex
	seen int
	call string
	what Seen
	err  error
}

func (s *strike) watch(step string, c trap.Call) trap.Verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	if step != s.step {
		return trap.Verdict{}
	}
	n := s.seen
	s.seen++
	if n < s.at || n-s.at >= s.times {
		return trap.Verdict{}
	}
	if n == s.at {
		s.call = c.Name
		s.what, s.err = s.m.Seen() // whoever makes the call stands still
	}
	return s.verdict
}

func (s *strike) struck() bool { return s.call != "" }

// wait waits until the process has ended, or, if it is an agent that is to live on, has been struck and has nothing
// more to do at once.
func (s *strike) wait(ctx context.Context, p *Process) error {
	if p.m.Variant.Agent && !s.verdict.Kill || s.step == "reload" {
		if err := s.waitAgent(ctx, p); err != nil {
			return err
		}
	} else if _, err := p.Wait(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// waitAgent waits for the strike, or for the end of the update that should have been struck.
func (s *strike) waitAgent(ctx context.Context, p *Process) error {
	return p.until(ctx, "the strike", func() (bool, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.struck() && !s.verdict.Kill {
			return true, nil
		}
		done, err := p.m.settled()
		return done && !s.struck() && rest.MatchString(p.Log()), err
	})
}
