package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/dropship/dropship/dropship"
)

// publish puts a release into the service's repository.
func (s *soak) publish(ctx context.Context, v *service, r release) error {
	data, sum, err := r.pack()
	if err != nil {
		return err
	}
	if err := s.stores[v.repo].put(ctx, v.artifact(), data); err != nil {
		return fmt.Errorf("cannot publish %s: %w", r, err)
	}
	s.published.Add(1)
	if !r.broken {
		v.good = append(v.good, published{r, sum})
		v.good = v.good[max(0, len(v.good)-8):] // more than are kept on the machine
	}
	return nil
}

// arrive waits until the newest good release is live, and nothing more is to be done.
func (s *soak) arrive(ctx context.Context, v *service) error {
	if err := s.waitFor(ctx, v, dropship.ReasonUpToDate, v.newest().sum); err != nil {
		return err
	}
	return v.newest().at(v.destination)
}

// waitFor waits until the agent says that a hash is installed, and why it stays.
func (s *soak) waitFor(ctx context.Context, v *service, why dropship.ReasonCode, hash string) error {
	var last dropship.Reason
	err := s.until(ctx, fmt.Sprintf("%s to be %s at %s", v.name, why, hash), func() (bool, error) {
		st, err := s.client.Status(ctx, v.name)
		last = st.Reason
		return err == nil && st.Reason.Code == why && st.Installed != nil && st.Installed.Hash == hash, err
	})
	if err != nil {
		return fmt.Errorf("%w; it is %s: %s", err, last.Code, last.Text)
	}
	return nil
}

// until waits until the agent has done something.
func (s *soak) until(ctx context.Context, what string, done func() (bool, error)) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := done(); err != nil || ok {
			return err
		}
		select {
		case <-tick.C:
		case <-s.agent.done:
			return fmt.Errorf("the agent has ended: %w", s.agent.err)
		case <-ctx.Done():
			return fmt.Errorf("waited in vain for %s: %w", what, context.Cause(ctx))
		}
	}
}

// A provocation is why a service may be in trouble.
type provocation struct {
	journeys int       // that are under way
	until    time.Time // when the last one's consequences are over
}

// aftermath is how long what a journey provoked may go on after it: a check that was under way fails, on a busy machine late.
const aftermath = 5 * time.Second

// provoke allows that the agent warns of these services, nil being the agent itself, until the function that it returns is
// called.
func (s *soak) provoke(services ...*service) (end func()) {
	services = slices.Clone(services)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range services {
		if s.provoked[v.key()] == nil {
			s.provoked[v.key()] = new(provocation)
		}
		s.provoked[v.key()].journeys++
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, v := range services {
			p := s.provoked[v.key()]
			p.journeys--
			p.until = time.Now().Add(aftermath)
		}
	}
}

// key is what the agent's log calls it.
func (s *service) key() string {
	if s == nil {
		return ""
	}
	return s.name
}

// heed takes a line of the agent's log.
func (s *soak) heed(l line) {
	if !l.trouble() || l.torn() {
		return
	}
	s.mu.Lock()
	p := s.provoked[l.Service]
	known := p != nil && !l.crash && (p.journeys > 0 || l.Time.Before(p.until))
	s.mu.Unlock()
	if !known {
		s.violate(fmt.Errorf("nobody provoked this line of the log: %s", l.text))
	}
}
