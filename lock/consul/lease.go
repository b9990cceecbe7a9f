package consul

import (
	"context"
	"fmt"
	"sync"

	"github.com/dropship/dropship/lock"
)

type lease struct {
	place *place

	mu       sync.Mutex
	released bool // Release was called
	gone     bool // and Consul knows
}

var _ lock.BoardLease = (*lease)(nil)

func newLease(p *place, index uint64) *lease {
	p.goroutines.Go(func() { p.guard(p.key, index) })
	return &lease{place: p}
}

// Unnoticed implements lock.BoardLease.
func (l *lease) Unnoticed() bool { return l.place.notice != "" }

func (l *lease) Lost() <-chan struct{} { return l.place.alive.Done() }

// Err looks at the clock, too: a process that was paused hears of the loss before it does anything else.
func (l *lease) Err() error {
	if l.place.background.Err() != nil { // lost, or given back: a slot that is given back is not lost by the time that goes by
		return l.place.lost()
	}
	return l.place.check()
}

// Check asks the local clock first, then Consul, then the clock again, since the answer may have taken its time.
// An election of a leader must not cost the update that waits for the answer, so it asks until there is one. Who was among
// the first when it took its slot still is, as nobody comes in ahead of somebody else: so it asks for its own keys alone.
func (l *lease) Check(ctx context.Context) error {
	l.mu.Lock()
	released := l.released
	l.mu.Unlock()
	p := l.place
	if released {
		return fmt.Errorf("%w: it was released", lock.ErrLost)
	}
	if err := p.check(); err != nil {
		return err
	}
	ctx, cancel := p.untilLost(ctx)
	defer cancel()
	var missing []string
	err := p.persist(ctx, func() (err error) {
		missing, err = p.store.missing(ctx, p.id, p.key, p.slot)
		return err
	})
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		p.loseTo(fmt.Errorf("key %s was taken away", missing[0]))
	}
	return p.check()
}

func (l *lease) Release(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone {
		return nil
	}
	l.released = true
	err := l.place.leave(ctx, releaseTimeout)
	l.place.store.close()
	l.gone = err == nil
	return err
}
