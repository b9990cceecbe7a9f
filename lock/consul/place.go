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
	slot   string      // the key of the slot that is held, or that may be; empty before the first attempt to take one
	notice string      // the key of the board that is not there while the slot is taken; empty: it may be there
	holder lock.Holder // as written into the key
}

// join makes the session of a contender. Its key is not there yet.
func join(ctx context.Context, s *store, req lock.Request, ttl time.Duration, clock clock) (*place, error) {
	name := fmt.Sprintf("dropship %s on %s", req.Group, req.Holder.Host)
	n, err := newSession(ctx, s, name, ttl, clock)
	if err != nil {
		return nil, err
	}
	p := &place{session: n, key: s.folder + n.id, group: req.Group, notice: s.notice(req), holder: req.Holder}
	p.holder.Slots = req.Slots
	p.holder.Since = time.Now().UTC()
	p.holder.Holding = false
	return p, nil
}

// await comes into line and returns when the slot is held: with the index from which a watch of the key goes on.
func (p *place) await(caller context.Context, waiting func([]lock.Holder)) (index uint64, err error) {
	ctx, cancel := p.untilLost(caller)
	defer cancel()

	var ahead []lock.Holder // as last told; nil before
	tell := func(now []lock.Holder) {
		if ahead != nil && slices.Equal(now, ahead) {
			return
		}
		ahead = now
		if waiting != nil {
			waiting(slices.Clone(ahead))
		}
	}
	q, err := p.write(ctx)
	for err == nil {
		i := q.position(p.key, p.id)
		if i < 0 {
			p.loseTo(fmt.Errorf("key %s was taken away", p.key))
			return 0, p.lostPlace()
		}
		if other, found := q.disagreement(i, p.holder.Slots); found {
			return 0, &lock.SlotsError{Group: p.group, Slots: p.holder.Slots, Other: other}
		}
		move := q.next(i, p.holder.Slots)
		if move == enter {
			index, q, err = p.enter(ctx, q, tell)
			if index > 0 {
				return index, nil
			}
			continue
		}
		if move != look {
			tell(q.ahead(i))
		}
		var next queue
		err = p.persist(ctx, func() (err error) {
			next, err = p.change(ctx, q, i, move)
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

// change waits for the change that the move at position i is about, if any, and returns the line after it.
func (p *place) change(ctx context.Context, q queue, i int, m move) (queue, error) {
	switch m {
	case look:
		return p.among(ctx, q, 0)
	case watchNames:
		return p.among(ctx, q, q.index)
	case watchSlots:
		slots, index, err := p.store.slots(ctx, q.index)
		return q.after(i, slots, index), err
	}
	// That the one before has entered says enough of who is ahead; anything else is decided on a read of the whole line.
	before := q.contenders[i-1]
	for range watchesPerRead {
		now, err := p.store.key(ctx, before.key, before.modified)
		if err != nil {
			return queue{}, err
		}
		if now.session == before.session && now.modified == before.modified {
			continue
		}
		if now.session != before.session || !now.holder.Holding {
			break
		}
		q.contenders = slices.Concat(q.contenders[:i-1], []contender{now, q.contenders[i]}) // who is behind need not be known
		if p.holder.Slots > 1 {
			return p.among(ctx, q, 0)
		}
		// It has the only slot, so nobody else is ahead any more, and there is no need to ask for now.
		return q.among([]string{now.key, slotKey(p.store.folder, 0), p.key}, now.modified), nil
	}
	return p.store.line(ctx)
}

// among returns the line of those who are still there: at once if index is 0, else when somebody has come or gone since
// index. Nobody was left out of it.
func (p *place) among(ctx context.Context, q queue, index uint64) (queue, error) {
	names, now, err := p.store.names(ctx, index)
	q = q.among(names, now)
	q.whole = true
	return q, err
}

// enter takes one of the free slots and says in the key that it is held, which wakes the next in line. It returns the
// index of the key as of then. There is a slot for each of the first in line, but one whose holder's session was ended
// for it stays closed for a while; then it tells that it waits, and tries again. If it is not among the first any more,
// since a slot was taken away from who is, it returns the line.
func (p *place) enter(ctx context.Context, q queue, tell func([]lock.Holder)) (index uint64, line queue, err error) {
	p.holder.Holding = true
	value, err := p.value()
	p.holder.Holding = false
	if err != nil {
		return 0, q, err
	}
	for again := false; ; again = true {
		for _, slot := range q.free(p.store.folder, p.holder.Slots) {
			p.slot = slot // now: an answer that is lost leaves it taken
			err = p.persist(ctx, func() (err error) {
				index, err = p.store.enter(ctx, p.id, p.key, value, slot, p.notice, q.left)
				if errors.Is(err, errNoticed) {
					p.notice = ""
					index, err = p.store.enter(ctx, p.id, p.key, value, slot, "", q.left)
				}
				return err
			})
			switch {
			case errors.Is(err, errRefused):
				p.loseTo(err)
				return 0, q, err
			case err != nil || index > 0:
				return index, q, err
			}
			p.slot = ""
		}
		if again { // else another one may have been faster, and left a slot that has come free since
			tell([]lock.Holder{})
			if !sleep(ctx, min(max(p.ttl/20, firstPause), lastPause)) {
				return 0, q, context.Cause(ctx)
			}
		}
		err = p.persist(ctx, func() (err error) {
			q, err = p.store.line(ctx)
			return err
		})
		if err != nil {
			return 0, q, err
		}
		if i := q.position(p.key, p.id); i < 0 || i >= p.holder.Slots {
			return 0, q, nil
		}
	}
}

func (p *place) write(ctx context.Context) (queue, error) {
	value, err := p.value()
	if err != nil {
		return queue{}, err
	}
	return p.store.write(ctx, p.id, p.key, value)
}

func (p *place) value() ([]byte, error) {
	value, err := json.Marshal(p.holder)
	if err != nil {
		return nil, fmt.Errorf("cannot write %s: %w", p.key, err)
	}
	return value, nil
}

func (p *place) lostPlace() error {
	return fmt.Errorf("cannot keep a place in line for %s at %s: %w", p.group, p.store.where, p.lost())
}

// leave gives the place, or the slot, back. One request may take half of the time, so that one that is never
// answered is not the only one.
func (p *place) leave(ctx context.Context, timeout time.Duration) error {
	p.rest()
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("given up after %s", timeout))
	defer cancel()
	if p.slot != "" {
		err := p.persist(ctx, func() error { return p.store.giveBack(ctx, p.id, p.key, p.slot, timeout/2) })
		if !errors.Is(err, errRefused) {
			return err // nil: nothing hangs on the session any more, which ends by itself
		}
		// It is not ours, or an answer was lost, or the token's rights have changed.
	}
	return p.persist(ctx, func() error { return p.store.destroySession(ctx, p.id, timeout/2) })
}
