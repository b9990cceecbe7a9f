package dropship

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/install"
	"github.com/dropship/dropship/lock"
)

// acquire waits for a slot.
func (u *update) acquire(ctx context.Context, rel install.Release) (lease lock.Lease, err error) {
	defer u.step(StepSlot)(&err)
	if u.Turn.Wait > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, u.Turn.Wait)
		defer cancel()
	}
	u.log.DebugContext(ctx, "waiting for a slot", "group", u.Turn.Group, "locker", u.Turn.Locker.String())
	return u.Turn.Locker.Acquire(ctx, lock.Request{
		Group: u.Turn.Group,
		Slots: u.Turn.Slots,
		Holder: lock.Holder{
			Host: u.m.Hostname, PID: os.Getpid(), Service: u.Name, Hash: rel.Hash, UpdateID: u.id,
		},
		Waiting: func(ahead []lock.Holder) {
			if len(ahead) > 0 {
				u.log.DebugContext(ctx, "waiting in line", "ahead", len(ahead), "holder", ahead[0].String())
			}
			u.emit(Event{Type: Waiting, Group: u.Turn.Group, Ahead: slices.Clone(ahead)})
			if u.Turn.Waiting != nil {
				u.Turn.Waiting(ahead)
			}
		},
	})
}

// aheadTimeout bounds the question who is ahead, since a person waits for the answer.
const aheadTimeout = time.Second

// askAhead brings what is known of who is ahead of an update in line up to now. An error says why that is not known;
// neither is it where the locker does not tell.
func (t *Turn) askAhead(ctx context.Context, a *Activity) error {
	line, ok := t.Locker.(lock.Line)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, aheadTimeout, fmt.Errorf("no answer within %s", aheadTimeout))
	defer cancel()
	all, err := line.Line(ctx, t.Group)
	if err != nil {
		return err
	}
	a.AheadAt = time.Time{} // now
	if i := slices.IndexFunc(all, func(h lock.Holder) bool { return h.UpdateID == a.UpdateID }); i >= 0 {
		a.Ahead = all[:i]
		return nil
	}
	// A locker that knows holders alone; or it has left the line just now.
	a.Ahead = slices.DeleteFunc(all, func(h lock.Holder) bool { return !h.Holding })
	return nil
}

// release gives the slot back, also when the agent is being stopped.
func (u *update) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := u.lease.Release(ctx); err != nil {
		u.log.WarnContext(ctx, "cannot give the slot back: it comes free when it expires", "error", err)
	}
}

// hold keeps the slot for updateTTL, so that trouble has time to show before the next machine's turn. A stop of
// the agent ends it, and a person who wants something else of the service: the release is good, and only the pause is
// lost. A reload does not.
func (u *update) hold(ctx context.Context) {
	if u.lease == nil || u.UpdateTTL <= 0 {
		return
	}
	var err error
	defer u.step(StepHold)(&err)
	stopping := ctx
	if u.m.stopping != nil {
		stopping = u.m.stopping
	}
	asked := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		if errors.Is(context.Cause(ctx), errAsked) {
			close(asked)
		}
	})
	defer stop()
	timer := time.NewTimer(u.UpdateTTL)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-stopping.Done():
	case <-asked:
	case <-u.lease.Lost():
		u.sayLost(stopping)
	}
}

// errUnconfirmed means that the lock service did not confirm the slot.
var errUnconfirmed = errors.New("cannot confirm the slot")

// fence asks the lock service whether the slot is still ours.
func (u *update) fence(ctx context.Context) error {
	if u.lease == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := u.lease.Check(ctx); err != nil {
		return fmt.Errorf("%w: %w", errUnconfirmed, err)
	}
	return nil
}

// comeToTurn stages what is new and, where the service takes turns, waits for a slot. An outcome in the result means
// that there is nothing to install. What is published during the wait is staged with the slot given back, and waits in
// line again: a slot is never held by a machine that waits for bytes, which may take hours.
func (u *update) comeToTurn(ctx context.Context) (install.Release, Result, error) {
	for {
		info, rel, r, err := u.prepare(ctx)
		if err == nil && r.Outcome != "" {
			return rel, r, cmp.Or(u.emptyHanded(r), u.outOfOrder())
		}
		if err != nil {
			return rel, r, err
		}
		// No slot is taken, and no hook runs, on a machine that could not record how it went.
		if err := u.m.Store.Reserve(u.st); err != nil {
			return rel, Result{}, &StepError{StepState, err}
		}
		if u.Turn == nil {
			return rel, Result{}, nil
		}
		if u.lease, err = u.acquire(ctx, rel); err != nil {
			return rel, Result{}, &StepError{StepSlot, err}
		}
		// The wait may have been long: what is at the destination, and in the repository, now?
		if err := u.look(); err != nil {
			return rel, Result{}, &StepError{StepState, err}
		}
		newer, r, err := u.recheck(ctx, info, rel)
		if err != nil || !newer {
			return rel, r, err
		}
		u.log.InfoContext(ctx, "published anew during the wait: giving the slot back to stage it", "staged", rel.Hash)
		u.release(ctx)
		u.lease = nil
	}
}

// recheck asks the repository again once the slot is held, and reports whether there is something newer than what was
// staged; and the other machines, one of which may have had its turn with it by now and rolled it back. It is an error
// if the slot is lost by its end.
func (u *update) recheck(ctx context.Context, staged artifact.Info, rel install.Release) (newer bool, r Result, err error) {
	ctx, cancel := lock.WithLease(ctx, u.lease)
	defer cancel()
	info, err := u.stat(ctx)
	switch {
	case err != nil:
		err = &StepError{StepCheck, err}
	case info.Revision != staged.Revision:
		return true, Result{}, nil
	default:
		if r, err = u.consult(ctx, info, rel.Hash, r); err == nil {
			err = u.discardQuarantined(r)
		}
	}
	if lost := u.lease.Err(); lost != nil && r.Outcome == "" {
		err = &StepError{StepSlot, lost}
	}
	return false, r, err
}

// turnWait is how long a recovery waits for a slot before it rolls back without one.
const turnWait = time.Minute

// takeTurn acquires a slot, if the service needs one and it comes free soon, and returns what gives it back.
func (u *update) takeTurn(ctx context.Context, j *Journal) (release func()) {
	if u.Turn == nil {
		return func() {}
	}
	waiting, cancel := context.WithTimeout(ctx, turnWait)
	defer cancel()
	var err error
	if u.lease, err = u.acquire(waiting, j.To); err != nil {
		u.log.WarnContext(ctx, "rolling back without a slot: what is installed does not work, and none came free", "error", err)
		return func() {}
	}
	return func() { u.release(ctx) }
}
