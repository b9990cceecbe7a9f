package dropship

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/install"
	"github.com/dropship/dropship/lock"
)

// acquire waits for a slot.
func (u *update) acquire(ctx context.Context, rel install.Release) (lock.Lease, error) {
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
			if u.Turn.Waiting != nil {
				u.Turn.Waiting(ahead)
			}
		},
	})
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
// the agent ends it: the release is good, and only the pause is lost. A reload does not.
func (u *update) hold(ctx context.Context) {
	if u.lease == nil || u.UpdateTTL <= 0 {
		return
	}
	stopping := ctx
	if u.m.stopping != nil {
		stopping = u.m.stopping
	}
	timer := time.NewTimer(u.UpdateTTL)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-stopping.Done():
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

// recheck asks the repository again once the slot is held, and stages anew what changed meanwhile; and the other
// machines, one of which may have had its turn with it by now and rolled it back. It ends when the slot is lost.
func (u *update) recheck(ctx context.Context, staged artifact.Info, rel install.Release) (install.Release, Result, error) {
	ctx, cancel := lock.WithLease(ctx, u.lease)
	defer cancel()
	info, err := u.Source.Stat(ctx)
	var r Result
	switch {
	case err != nil:
		err = &StepError{StepCheck, err}
	case info.Revision != staged.Revision:
		_, rel, r, err = u.prepare(ctx)
	default:
		if r, err = u.consult(ctx, info, rel.Hash, r); err == nil {
			err = u.discardQuarantined(r)
		}
	}
	if lost := context.Cause(ctx); err != nil && errors.Is(lost, lock.ErrLost) {
		err = &StepError{StepSlot, lost}
	}
	return rel, r, err
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
