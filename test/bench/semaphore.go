package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/consul/api"

	"github.com/dropship/dropship/lock"
)

// A semaphore gives turns through the semaphore of Consul's own client. It has no board, and its leases ask nobody
// whether they are held: that is in its favour.
type semaphore struct {
	address, prefix string
}

func (s semaphore) String() string { return "api.Semaphore at " + s.address }

// Acquire implements lock.Locker.
func (s semaphore) Acquire(ctx context.Context, req lock.Request) (lock.Lease, error) {
	client, err := api.NewClient(&api.Config{Address: s.address})
	if err != nil {
		return nil, err
	}
	// It remembers the limit of a prefix, and refuses another.
	prefix := fmt.Sprintf("%s/%s-%d", s.prefix, req.Group, req.Slots)
	sem, err := client.SemaphoreOpts(&api.SemaphoreOptions{Prefix: prefix, Limit: req.Slots, SessionTTL: sessionTTL})
	if err != nil {
		return nil, err
	}
	lost, err := sem.Acquire(ctx.Done())
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot acquire a semaphore: %w", err)
	case lost == nil:
		return nil, context.Cause(ctx)
	}
	return semaphoreLease{sem, lost}, nil
}

type semaphoreLease struct {
	semaphore *api.Semaphore
	lost      <-chan struct{}
}

func (l semaphoreLease) Lost() <-chan struct{} { return l.lost }

func (l semaphoreLease) Err() error {
	select {
	case <-l.lost:
		return lock.ErrLost
	default:
		return nil
	}
}

func (l semaphoreLease) Check(context.Context) error { return l.Err() }

func (l semaphoreLease) Release(context.Context) error {
	if err := l.semaphore.Release(); !errors.Is(err, api.ErrSemaphoreNotHeld) {
		return err
	}
	return nil
}
