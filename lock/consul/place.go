package consul

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dropship/dropship/lock"
)

const (
	// leaveTimeout and releaseTimeout bound the attempts to give a place or a slot back. The first is
	// short because an agent that is told to stop waits for it.
	leaveTimeout   = 2 * time.Second
	releaseTimeout = 5 * time.Second
	// watchesPerRead is how often in a row the one before may be found unchanged until the whole line is
	// read once more: each 5 min. All machines together then read little, although a line is as long as they are many.
	watchesPerRead = 10
)

// A place is one contender's place in line: a session and the key that it holds.
type place struct {
	*session
	key    string
	group  string
	holder lock.Holder // as written into the key
}

// join makes the session of a contender. Its key is not there yet.
func join(ctx context.Context, s *store, req lock.Request, ttl time.Duration) (*place, error) {
	name := fmt.Sprintf("dropship %s on %s", req.Group, req.Holder.Host)
	n, err := newSession(ctx, s, name, ttl)
	if err != nil {
		return nil, err
	}
	p := &place{session: n, key: s.folder + n.id, group: req.Group, holder: req.Holder}
	p.holder.Slots = req.Slots
	p.holder.Since = time.Now().UTC()
	p.holder.Holding = false
	return p, nil
}

// await comes into line and returns when the slot is held: with the index from which a watch of the key goes on.
func (p *place) await(caller context.Context, waiting func([]lock.Holder)) (index uint64, err error) {
	ctx, cancel := p.untilLost(caller)
	defer cancel()

	var ahead []lock.Holder // as last told
	q, err := p.write(ctx, false)
	for err == nil {
		i := q.position(p.key, p.id)
		if i < 0 {
			p.loseTo(fmt.Errorf("key %s was taken away", p.key))
			return 0, p.lostPlace()
		}
		if other, found := q.disagreement(i, p.holder.Slots); found {
			return 0, &lock.SlotsError{Group: p.group, Slots: p.holder.Slots, Other: other}
		}
		move, before := q.next(i, p.holder.Slots)
		if move == enter {
			index, err = p.enter(ctx)
			if err == nil {
				return index, nil
			}
			break
		}
		if now := q.ahead(i); move != look && !slices.Equal(now, ahead) {
			ahead = now
			if waiting != nil {
				waiting(slices.Clone(ahead))
			}
		}
		var next queue
		err = p.persist(ctx, func() (err error) {
			next, err = p.change(ctx, q, move, before)
			return err
		})
		q = next
	}
	trouble := p.lastTrouble()
	switch {
	case caller.Err() == nil && p.check() != nil:
		return 0, p.lostPlace()
	case caller.Err() == nil || ahead == nil:
		return 0, err
	case trouble != nil:
		// Whether those ahead still are is not known.
		return 0, fmt.Errorf("cannot wait for a slot of %s any longer: %w: %w", p.group, context.Cause(caller), trouble)
	}
	return 0, &lock.BusyError{Group: p.group, Ahead: ahead, Cause: context.Cause(caller)}
}

// change waits for the change that the move is about, if any, and returns the line after it.
func (p *place) change(ctx context.Context, q queue, m move, before contender) (queue, error) {
	switch m {
	case look:
		return p.store.line(ctx, 0)
	case watchLine:
		return p.store.line(ctx, q.index)
	}
	// What happened to the one before only wakes; what it means is decided on a read of the whole line.
	for range watchesPerRead {
		session, index, err := p.store.key(ctx, before.key, before.modified)
		if err != nil {
			return queue{}, err
		}
		if session != before.session || index != before.modified {
			break
		}
	}
	return p.store.line(ctx, 0)
}

// enter says in the key that the slot is held, which wakes the next in line, and makes sure of it: the
// same transaction that writes returns the line.
func (p *place) enter(ctx context.Context) (index uint64, err error) {
	var q queue
	err = p.persist(ctx, func() (err error) {
		q, err = p.write(ctx, true)
		return err
	})
	if err != nil {
		if errors.Is(err, errRefused) {
			p.loseTo(err)
		}
		return 0, err
	}
	i := q.position(p.key, p.id)
	if i < 0 || i >= p.holder.Slots {
		p.loseTo(errors.New("the line changed while entering"))
		return 0, p.lost()
	}
	return q.contenders[i].modified, nil
}

func (p *place) write(ctx context.Context, holding bool) (queue, error) {
	p.holder.Holding = holding
	value, err := json.Marshal(p.holder)
	if err != nil {
		return queue{}, fmt.Errorf("cannot write %s: %w", p.key, err)
	}
	return p.store.write(ctx, p.id, p.key, value, holding)
}

func (p *place) lostPlace() error {
	return fmt.Errorf("cannot keep a place in line for %s at %s: %w", p.group, p.store.where, p.lost())
}

// leave gives the place, or the slot, back: destroying the session deletes its key. One request may take half of
// the time, so that one that is never answered is not the only one.
func (p *place) leave(ctx context.Context, timeout time.Duration) error {
	p.rest()
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("given up after %s", timeout))
	defer cancel()
	return p.persist(ctx, func() error { return p.store.destroySession(ctx, p.id, timeout/2) })
}
