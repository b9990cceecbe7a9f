package dropship

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/lock"
)

// switchTo makes the release current: one atomic step, right after the slot was confirmed.
func (u *update) switchTo(ctx context.Context, j *Journal) (err error) {
	defer u.step(StepSwitch)(&err)
	if j.abandonable() {
		if err := u.fence(ctx); err != nil {
			return err
		}
	}
	err = u.Site.Switch(j.To.ID, j.From.ID)
	if err == nil {
		return nil
	}
	if current, known, cerr := u.Site.Current(); cerr == nil && known && current.ID == j.To.ID {
		// The new release is live; only the tidying up failed. Going back would be a second risk.
		u.untidy()
		u.log.WarnContext(ctx, "switched, but cannot tidy up", "error", err)
		return nil
	}
	return err
}

// giveUp ends an update that changed nothing. The after chain runs, so that maintenance ends and the
// application is started again. What was staged is kept for the next attempt.
func (u *update) giveUp(ctx context.Context, j *Journal, step Step, cause error) (Result, error) {
	j.Status, j.Error = hooks.StatusFailed, cause.Error()
	cause = errors.Join(cause, u.m.Store.Save(u.st))
	if err := u.finish(ctx, j); err != nil {
		cause = errors.Join(cause, fmt.Errorf("the after chain, run to put the machine back in order, failed too: %w", err))
	}
	u.st.Journal = nil
	cause = errors.Join(cause, u.m.Store.Save(u.st))
	err := &StepError{step, cause}
	if !isOf(cause, lock.ErrLost, errUnconfirmed, errInterrupted) { // which are no fault of what was to be installed
		u.m.attempts.failed(u.Service, j.To.Revision, u.st.Retried, err)
	}
	return Result{Outcome: GivenUp, UpdateID: j.UpdateID, Hash: j.From.Hash, PreviousHash: j.From.Hash, Took: time.Since(u.started)}, err
}

// isOf reports whether err is one of several.
func isOf(err error, targets ...error) bool {
	return slices.ContainsFunc(targets, func(target error) bool { return errors.Is(err, target) })
}

// rollBack puts the previous release back, through both chains, and quarantines the hash that failed: here first, and
// for the group meanwhile, since others may have their turn next.
func (u *update) rollBack(ctx context.Context, failed *Journal, cause error) (Result, error) {
	if failed.From.ID == "" {
		return u.nothingBefore(ctx, failed, cause)
	}
	u.log.WarnContext(ctx, "rolling back", "hash", failed.To.Hash, "to", failed.From.Hash)
	j := &Journal{
		UpdateID: failed.UpdateID, Status: hooks.StatusRollback, To: failed.From, From: failed.To,
		Chain: names(u.After), Error: cause.Error(), Started: failed.Started,
	}
	u.st.Journal, u.st.Staged = j, nil
	q := u.quarantine(failed, cause)
	if err := u.m.Store.Save(u.st); err != nil {
		u.log.ErrorContext(ctx, "cannot record the rollback", "error", err)
	}
	told := u.tell(ctx, q)
	r, err := u.putBack(ctx, j, nil)
	told()
	return r, err
}

// putBack does the rollback that the journal holds. A before hook that fails does not keep the good release out, nor
// does one that kills the agent. killed is the after hook that the agent was killed in again and again, or nil.
func (u *update) putBack(ctx context.Context, j *Journal, killed *hooks.StepError) (Result, error) {
	if current, known, err := u.Site.Current(); err != nil || !known || current.ID != j.To.ID {
		if j.Deaths >= deathsLimit {
			u.log.ErrorContext(ctx, "the before hooks are left out of the rollback: the agent was killed in them", "times", j.Deaths)
		} else if err := u.beforeAll(ctx, j); err != nil {
			u.log.WarnContext(ctx, "a before hook failed: rolling back all the same", "error", err)
		}
		if err := u.switchTo(ctx, j); err != nil {
			return u.fail(ctx, j, fmt.Errorf("cannot put the previous release back: %w (the rollback was for: %s)", err, j.Error))
		}
		killed = nil // no after hook has run
	}
	var err error
	if killed != nil {
		err = killed
	} else {
		err = u.after(ctx, j)
	}
	if err != nil {
		return u.fail(ctx, j, fmt.Errorf("the previous release is back and its after chain fails: %w (the rollback was for: %s)", err, j.Error))
	}
	cause := errors.Join(errors.New(j.Error), u.settle(ctx, j))
	// It would take the place of a good one among those that are kept.
	if err := u.Site.Remove(j.From.ID); err != nil {
		u.untidy()
		u.log.WarnContext(ctx, "cannot remove the release that failed", "error", err)
	}
	return Result{Outcome: RolledBack, UpdateID: j.UpdateID, Hash: j.To.Hash, PreviousHash: j.From.Hash, Took: time.Since(j.Started)},
		&StepError{StepAfter, fmt.Errorf("rolled back to %s, and %s is quarantined: %w", cmp.Or(j.To.Hash, "what was there before"), j.From.Hash, cause)}
}

// beforeAll runs the whole before chain, whatever fails.
func (u *update) beforeAll(ctx context.Context, j *Journal) (err error) {
	defer u.step(StepBefore)(&err)
	ev := u.event(j, hooks.Before)
	return u.Before.Finish(ctx, 0, ev, u.report(ctx, ev, u.Before))
}

// nothingBefore ends a first install whose after chain failed: the release stays for whoever looks into it.
func (u *update) nothingBefore(ctx context.Context, j *Journal, cause error) (Result, error) {
	j.Error = cause.Error()
	told := u.tell(ctx, u.quarantine(j, cause))
	r, err := u.fail(ctx, j, fmt.Errorf("nothing was installed before, so there is nothing to go back to, and hash %s is quarantined: %w", j.To.Hash, cause))
	told()
	return r, err
}

// fail ends an update that could be neither completed nor undone: the rest of the after chain runs, and
// the state says failed until a new hash, or a person, comes.
func (u *update) fail(ctx context.Context, j *Journal, cause error) (Result, error) {
	step, bad := StepAfter, j.To.Hash
	if j.Status == hooks.StatusRollback {
		step, bad = StepRollback, j.From.Hash
	}
	var failed []*hooks.StepError
	if hook, ok := errors.AsType[*hooks.StepError](cause); ok && hook.Phase == hooks.After {
		if !errors.Is(hook, errKilled) { // it would be the death of the agent at later checks, too
			failed = append(failed, hook)
		}
		j.Hook = hook.Index + 1
	}
	now := time.Now().UTC()
	r := Result{Outcome: Failed, UpdateID: j.UpdateID, PreviousHash: j.From.Hash, Took: time.Since(j.Started)}
	if current, known, err := u.Site.Current(); err == nil && known {
		u.st.Installed = &Installed{Release: current, At: now, UpdateID: j.UpdateID}
		r.Hash = current.Hash
	}
	u.st.Staged = nil
	u.st.Failed = &Failure{Hash: bad, Error: cause.Error(), At: now, UpdateID: j.UpdateID}
	j.Status, j.Error, j.Deaths = hooks.StatusFailed, cause.Error(), 0
	cause = errors.Join(cause, u.m.Store.Save(u.st))

	cause = errors.Join(cause, u.finish(ctx, j, failed...))
	u.st.Journal = nil
	cause = errors.Join(cause, u.m.Store.Save(u.st))
	return r, &StepError{step, cause}
}
