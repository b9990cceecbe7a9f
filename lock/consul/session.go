package consul

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dropship/dropship/lock"
)

// The pause after a request that failed doubles between these two.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = time.Second
)

// A clock measures time from some instant on, whatever the machine's date is set to.
type clock func() time.Duration

// A session is a Consul session that is kept alive in the background, and what is known of it without
// asking: Consul ends it no sooner than TTL after the last renewal that it saw.
type session struct {
	store *store
	id    string
	ttl   time.Duration
	clock clock

	renewed atomic.Int64 // time of the clock at which the last renewal that succeeded was sent

	mu        sync.Mutex
	unrenewed error // why the last renewal failed; nil if it did not
	trouble   error // why the last request of any kind failed; nil if it was answered

	// alive ends, for good, with a cause that is a lock.ErrLost, when the session can no longer be counted on.
	// It does not end when the session is given up on purpose.
	alive context.Context
	lose  context.CancelCauseFunc

	background context.Context // of the goroutines that serve the session
	cancel     context.CancelFunc
	goroutines sync.WaitGroup
}

// newSession makes a session and begins to renew it. The caller ends it with destroy.
func newSession(ctx context.Context, s *store, name string, ttl time.Duration, clock clock) (*session, error) {
	sent := clock()
	id, err := s.createSession(ctx, name, ttl)
	if err != nil {
		return nil, err
	}
	n := &session{store: s, id: id, ttl: ttl, clock: clock}
	n.renewed.Store(int64(sent))
	// Not the caller's context: that one ends the wait for a slot, while the session lives on with the lease.
	n.alive, n.lose = context.WithCancelCause(context.WithoutCancel(ctx))
	n.background, n.cancel = context.WithCancel(n.alive)
	n.goroutines.Go(n.keep)
	return n, nil
}

// left returns how long the session can be counted on without another renewal. A tenth of the TTL is set
// aside: for noticing, and for stopping what runs under the slot.
func (n *session) left() time.Duration {
	return time.Duration(n.renewed.Load()) + n.ttl - n.ttl/10 - n.clock()
}

// check returns nil, or why the session can no longer be counted on. It asks nobody.
func (n *session) check() error {
	if n.left() <= 0 {
		n.expire()
	}
	return n.lost()
}

// lost returns nil, or why the session was found to be lost.
func (n *session) lost() error { return context.Cause(n.alive) }

func (n *session) loseTo(reason error) {
	n.lose(fmt.Errorf("%w: session %s: %w", lock.ErrLost, n.id, reason))
}

// expire loses the session because its time is over.
func (n *session) expire() {
	n.mu.Lock()
	reason := n.unrenewed
	n.mu.Unlock()
	if reason == nil {
		reason = errors.New("the process was held up")
	}
	n.loseTo(fmt.Errorf("not renewed for %s: %w", n.ttl-n.ttl/10, reason))
}

// noteRenewal keeps how a renewal ended.
func (n *session) noteRenewal(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.unrenewed, n.trouble = err, err
}

// note keeps how another request ended.
func (n *session) note(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.trouble = err
}

// lastTrouble returns what is known last of Consul: nil if it answers.
func (n *session) lastTrouble() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.trouble
}

// keep renews the session each third of its TTL, and faster after an error, until it is lost or destroyed.
// What is counted is when a renewal was sent, so an answer that comes late, or a process that was stopped
// meanwhile, does not bring a lost session back: the time is looked at before anything else.
func (n *session) keep() {
	pause := n.ttl / 3
	for {
		if !sleep(n.background, min(pause, n.left())) {
			return
		}
		if n.left() <= 0 {
			n.expire()
			return
		}
		sent, timeout := n.clock(), min(n.ttl/6, n.left())
		err := n.store.renewSession(n.background, n.id, timeout)
		if n.background.Err() != nil {
			return
		}
		if err == nil || timeout == n.ttl/6 { // the failure of one that had less time says nothing of Consul
			n.noteRenewal(err)
		}
		switch {
		case err == nil:
			n.renewed.Store(int64(sent))
			pause = n.ttl/3 - (n.clock() - sent)
		case errors.Is(err, errNoSession):
			n.loseTo(err)
			return
		default:
			pause = n.ttl / 20
		}
	}
}

// guard watches key from index on, and loses the session as soon as the key is gone or held by another:
// somebody deleted it, or destroyed the session. Errors are left to keep, which knows how long they may last.
func (n *session) guard(key string, index uint64) {
	for {
		now, err := n.store.key(n.background, key, index)
		switch {
		case n.background.Err() != nil:
			return
		case err != nil:
			if !sleep(n.background, n.ttl/20) {
				return
			}
		case now.session != n.id:
			n.loseTo(fmt.Errorf("key %s was taken away", key))
			return
		default:
			index = now.modified
		}
	}
}

// untilLost returns a context that ends with ctx, or with the session.
func (n *session) untilLost(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(n.alive, func() { cancel(context.Cause(n.alive)) })
	return ctx, func() {
		stop()
		cancel(context.Canceled)
	}
}

// persist repeats try until it succeeds, is refused, or ctx ends, whose cause is then in the error, with the last
// failure that was not the end of ctx itself: a place in line is worth more than one failed request.
func (n *session) persist(ctx context.Context, try func() error) error {
	var last error
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		err := try()
		ended := ctx.Err() != nil
		if !ended {
			n.note(err)
		}
		if err == nil || errors.Is(err, errRefused) {
			return err
		}
		if last == nil || !ended {
			last = err
		}
		if sleep(ctx, pause) {
			continue
		}
		if cause := context.Cause(ctx); !errors.Is(last, cause) {
			last = fmt.Errorf("%w: %w", cause, last)
		}
		return last
	}
}

// rest stops the renewals and waits until nothing runs in the background.
func (n *session) rest() {
	n.cancel()
	n.goroutines.Wait()
}

// sleep waits for d and reports whether it did: false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
