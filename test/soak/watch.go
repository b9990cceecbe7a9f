package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"path/filepath"
	"time"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/dropship/api"
)

// follow follows the events of the hot services, from the beginning to the end.
func (s *soak) follow(ctx context.Context, events iter.Seq2[dropship.Event, error]) {
	for {
		var ended error
		for _, err := range events {
			if err != nil {
				ended = err
				break
			}
			s.told.Add(1)
		}
		if ctx.Err() != nil {
			return
		}
		var behind *api.Error
		if !errors.As(ended, &behind) || behind.Code != api.CodeBehind {
			s.violate(fmt.Errorf("the events ended: %w", ended))
			return
		}
		var err error
		if events, err = s.client.Events(ctx, s.hot()...); err != nil {
			s.violate(fmt.Errorf("cannot follow the events again: %w", err))
			return
		}
	}
}

// A visit is one look at the agent, as people and their scripts take it.
type visit struct {
	name string
	do   func(*soak, context.Context, *service) error
}

// errGone ends a visit to a stream, which has no end of its own.
var errGone = errors.New("gone away")

var visits = []visit{
	{"status of all", func(s *soak, ctx context.Context, _ *service) error {
		_, err := s.client.Statuses(ctx)
		return err
	}},
	{"events", (*soak).glimpse},
	{"history", func(s *soak, ctx context.Context, v *service) error {
		_, err := s.client.History(ctx, v.name, 0)
		return err
	}},
	{"dropship logs", func(s *soak, ctx context.Context, v *service) error {
		_, err := s.command(ctx, "logs", v.name)
		return err
	}},
	{"why", func(s *soak, ctx context.Context, v *service) error {
		_, err := s.client.Why(ctx, v.name)
		return err
	}},
	{"sleeping reader", (*soak).sleep},
	{"releases", func(s *soak, ctx context.Context, v *service) error {
		_, err := s.client.Releases(ctx, v.name)
		return err
	}},
	{"dropship status", func(s *soak, ctx context.Context, _ *service) error {
		_, err := s.command(ctx, "status")
		return err
	}},
}

// visit makes one visit after another until ctx ends.
func (s *soak) visit(ctx context.Context) {
	tick := time.NewTicker(2 * s.every)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		one := visits[n%len(visits)]
		if err := one.do(s, ctx, s.services[s.pick(len(s.services))]); err != nil && ctx.Err() == nil {
			s.violate(fmt.Errorf("%s: %w", one.name, err))
		}
		s.mu.Lock()
		s.visits[one.name]++
		s.mu.Unlock()
	}
}

// glimpse follows the events of a service for a while and hangs up.
func (s *soak) glimpse(ctx context.Context, v *service) error {
	ctx, hangUp := context.WithTimeoutCause(ctx, 2*s.every, errGone)
	defer hangUp()
	events, err := s.client.Events(ctx, v.name)
	if err == nil {
		for _, ended := range events {
			err = ended // nil until the last
		}
	}
	if errors.Is(err, errGone) {
		return nil
	}
	return err
}

// sleep asks for all events, reads none of them, and goes away.
func (s *soak) sleep(ctx context.Context, _ *service) error {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", filepath.Join(s.dir, "dropship.sock"))
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("GET /v1/events HTTP/1.1\r\nHost: dropship\r\n\r\n")); err != nil {
		return err
	}
	ctx, goAway := context.WithTimeout(ctx, 5*s.every)
	defer goAway()
	<-ctx.Done()
	return nil
}
