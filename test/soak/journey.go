package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/test/faultproxy"
)

// A journey is what happens to a service, until it is live again at the newest good release.
type journey struct {
	name  string
	share int  // of all journeys
	alone bool // no other is under way: it disturbs more services than its own
	fits  func(*service) bool
	do    func(*soak, context.Context, *service) error
}

func anyService(*service) bool { return true }

var journeys = []journey{
	{"release", 60, false, anyService, (*soak).release},
	{"broken release", 12, false, anyService, (*soak).broken},
	{"check", 6, false, anyService, (*soak).check},
	{"pause", 6, false, anyService, (*soak).pause},
	{"rollback", 6, false, func(v *service) bool { return len(v.good) > 1 }, (*soak).rollback},
	{"cut", 5, true, func(v *service) bool { return v.repo != "file" || v.turns }, (*soak).cut},
	{"reload", 5, true, anyService, (*soak).reload},
}

// patience is how long anything may take: far longer than it should, on a busy machine.
const patience = time.Minute

// travel begins journeys for a time, and waits for them. First each is made once, however long that takes.
func (s *soak) travel(ctx context.Context) {
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	var under sync.WaitGroup
	defer under.Wait()
	first := journeys
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		over := time.Since(s.begin) - s.time
		if over > 0 && len(first) == 0 || over > patience {
			return
		}
		j := s.draw()
		if len(first) > 0 {
			j = first[0]
		}
		if j.alone {
			under.Wait()
		}
		v := s.pool.take(s.pick, j.fits)
		if v == nil { // those that would fit are on their way
			continue
		}
		if len(first) > 0 {
			first = first[1:]
		}
		under.Go(func() { s.send(ctx, j, v) })
		if j.alone {
			under.Wait()
		}
	}
}

// draw returns a journey at random.
func (s *soak) draw() journey {
	sum := 0
	for _, j := range journeys {
		sum += j.share
	}
	at := s.pick(sum)
	for _, j := range journeys {
		if at -= j.share; at < 0 {
			return j
		}
	}
	return journeys[0]
}

func (s *soak) pick(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.random.IntN(n)
}

// send makes a journey. A service that does not come to its end is on no further one.
func (s *soak) send(ctx context.Context, j journey, v *service) {
	limited, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("%s have passed", patience))
	defer cancel()
	if err := j.do(s, limited, v); err != nil {
		if ctx.Err() == nil {
			s.violate(fmt.Errorf("%s of %s (%s): %w", j.name, v.name, v.repo, err))
		}
		return
	}
	s.mu.Lock()
	s.journeys[j.name]++
	s.mu.Unlock()
	s.pool.put(v)
}

func (s *soak) release(ctx context.Context, v *service) error {
	if err := s.publish(ctx, v, v.next(false)); err != nil {
		return err
	}
	return s.arrive(ctx, v)
}

// broken publishes what has to be rolled back and left alone, and then something good.
func (s *soak) broken(ctx context.Context, v *service) error {
	defer s.provoke(v)()
	bad := v.next(true)
	if err := s.publish(ctx, v, bad); err != nil {
		return err
	}
	if err := s.waitFor(ctx, v, dropship.ReasonQuarantined, v.newest().sum); err != nil {
		return err
	}
	if err := v.newest().at(v.destination); err != nil {
		return fmt.Errorf("after the rollback of %s: %w", bad, err)
	}
	s.rolledBack.Add(1)
	return s.release(ctx, v)
}

func (s *soak) check(ctx context.Context, v *service) error {
	if err := s.publish(ctx, v, v.next(false)); err != nil {
		return err
	}
	if _, err := s.command(ctx, "check", v.name); err != nil {
		return err
	}
	return s.arrive(ctx, v)
}

func (s *soak) pause(ctx context.Context, v *service) error {
	defer s.provoke(v)() // it is a warning
	if _, err := s.command(ctx, "pause", v.name, "--reason", "a look at it"); err != nil {
		return err
	}
	before := v.newest()
	if err := s.publish(ctx, v, v.next(false)); err != nil {
		return err
	}
	if err := s.waitFor(ctx, v, dropship.ReasonPaused, before.sum); err != nil {
		return err
	}
	if err := before.at(v.destination); err != nil {
		return fmt.Errorf("while it is paused: %w", err)
	}
	if _, err := s.command(ctx, "resume", v.name); err != nil {
		return err
	}
	return s.arrive(ctx, v)
}

// rollback goes back to an older release, and to the newest again.
func (s *soak) rollback(ctx context.Context, v *service) error {
	defer s.provoke(v)()
	out, err := s.command(ctx, "rollback", v.name, "--reason", "a look at it", "--json")
	if err != nil {
		return err
	}
	var results []struct{ Hash string }
	if err := json.Unmarshal(out, &results); err != nil || len(results) != 1 {
		return fmt.Errorf("cannot understand what rollback printed: %s: %w", out, err)
	}
	known := false
	for _, r := range v.good[:len(v.good)-1] {
		if r.sum == results[0].Hash {
			known = true
			if err := r.at(v.destination); err != nil {
				return err
			}
		}
	}
	if !known {
		return fmt.Errorf("a rollback put %s back, which is none of the last good releases but the newest", results[0].Hash)
	}
	if err := s.waitFor(ctx, v, dropship.ReasonQuarantined, results[0].Hash); err != nil {
		return err
	}
	if _, err := s.command(ctx, "retry", v.name); err != nil {
		return err
	}
	return s.arrive(ctx, v)
}

// cut breaks the network to a server, or one download, while a release is published.
func (s *soak) cut(ctx context.Context, v *service) error {
	kind, concerned := v.repo, func(o *service) bool { return o.repo == v.repo }
	if v.turns && (v.repo == "file" || s.pick(2) == 0) {
		kind, concerned = "consul", func(o *service) bool { return o.turns }
	}
	var all []*service
	for _, o := range s.services {
		if concerned(o) {
			all = append(all, o)
		}
	}
	defer s.provoke(append(all, nil)...)()
	link := s.links[kind]
	defer link.Up()
	defer link.Heal()
	how := s.pick(3)
	switch how {
	case 0:
		link.Down()
	case 1:
		link.Mute()
	case 2:
		link.Break(1, faultproxy.Reset(20_000), func(r *http.Request) bool {
			return r.Method == http.MethodGet && (kind == "consul" || strings.HasSuffix(r.URL.Path, v.artifact()))
		})
	}
	if err := s.publish(ctx, v, v.next(false)); err != nil {
		return err
	}
	if how < 2 {
		timer := time.NewTimer(time.Duration(200+s.pick(800)) * time.Millisecond)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		link.Up()
	}
	var errs []error
	for _, o := range append(all, v) {
		errs = append(errs, s.arrive(ctx, o))
	}
	return errors.Join(errs...)
}

// reload changes the service's configuration, at times by way of a mistake.
func (s *soak) reload(ctx context.Context, v *service) error {
	if s.pick(3) == 0 {
		defer s.provoke(nil)()
		if err := s.reconfigure(ctx, "nonsense\n"); err != nil {
			return err
		}
	}
	v.reloads++
	if err := s.reconfigure(ctx, ""); err != nil {
		return err
	}
	return s.release(ctx, v)
}

// reconfigure has the agent read the configuration, with more at its end, which is a mistake.
func (s *soak) reconfigure(ctx context.Context, more string) error {
	result := "success"
	if more != "" {
		result = "failure"
	}
	count := fmt.Sprintf("dropship_config_reloads_total{result=%q}", result)
	before, err := scrape(ctx, s.metrics, count)
	if err != nil {
		return err
	}
	if err := s.configure(more); err != nil {
		return err
	}
	if err := s.agent.reload(); err != nil {
		return err
	}
	return s.until(ctx, "the reload's "+result, func() (bool, error) {
		now, err := scrape(ctx, s.metrics, count)
		return err == nil && now[0] > before[0], err
	})
}
