package dropship

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/dropship/dropship/hooks"
)

// errInterrupted is why an update that was cut off before its switch is given up.
var errInterrupted = errors.New("the update was interrupted before its switch (the process was killed, or the machine went down)")

// deathsLimit is how many processes may die in the hooks of one status before it is held to be the hooks' doing, or
// that of the release that they start, and no chance: then the chain is not run again from where it was.
const deathsLimit = 3

// errKilled is why a hook is not run again.
var errKilled = fmt.Errorf("the agent was killed %d times, the last time in this hook", deathsLimit)

// recover completes or undoes the update that the journal tells of. It takes no slot for what is left of the
// after chain: the one that the update held may be another machine's by now, and an application that stands
// still is not to wait for it.
func (u *update) recover(ctx context.Context) (r Result, err error) {
	// It counts from the start of the update, in another process, by a date that may have been set back since.
	defer func() { r.Took = max(0, r.Took) }()
	ctx = context.WithoutCancel(ctx)
	j := u.st.Journal
	u.id, u.by, u.reason, u.recovered = j.UpdateID, j.By, j.Reason, true
	u.beginUpdate(j.Status, j.To.Hash, j.From.Hash)
	u.log = u.m.Logger.With("service", u.Name, "update_id", u.id)
	u.log.WarnContext(ctx, "an update was interrupted: completing or undoing it", "hash", j.To.Hash, "status", string(j.Status))
	if !slices.Equal(j.Chain, names(u.After)) {
		j.Chain, j.Hook, j.Deaths = names(u.After), 0, 0 // it is another chain by now: none of its hooks has run
	}
	current, known, err := u.Site.Current()
	if err != nil {
		return Result{}, &StepError{StepState, err}
	}
	switched := known && current.ID == j.To.ID
	// One process dies once, however often it must try to begin here.
	if u.m.once(u.Name, "interrupted", j.UpdateID) {
		j.Deaths++
		if j.Status == hooks.StatusUpdate && !switched && j.Deaths == 1 {
			u.st.Interrupted++
		}
	}
	// Where nothing can be recorded, hooks would run again and again.
	if err := u.m.Store.Save(u.st); err != nil {
		return Result{}, &StepError{StepState, err}
	}
	killed := u.killedIn(j)

	switch {
	case j.Status == hooks.StatusFailed && killed != nil:
		u.log.ErrorContext(ctx, "a hook is left out", "hook", killed.Hook, "error", killed)
		j.Hook, j.Deaths = killed.Index+1, 0
		r, err = u.giveUp(ctx, j, StepBefore, fmt.Errorf("%s (left out of the after chain: %w)", j.Error, killed))
	case j.Status == hooks.StatusFailed:
		r, err = u.giveUp(ctx, j, StepBefore, errors.New(j.Error))
	case !j.abandonable():
		r, err = u.putBack(ctx, j, killed)
	case !switched:
		j.Deaths = 0 // that many are for the after chain to come
		r, err = u.giveUp(ctx, j, StepBefore, errInterrupted)
	default:
		if killed != nil {
			err = killed
		} else {
			err = u.after(ctx, j)
		}
		if err != nil {
			// The application would be stopped once more, as in any update: that is for its turn to come.
			defer u.takeTurn(ctx, j)()
			return u.rollBack(ctx, j, err)
		}
		err = u.settle(ctx, j)
	}
	if serr := u.m.Store.Save(u.st); serr != nil {
		return r, &StepError{StepState, errors.Join(err, serr)}
	}
	// A before chain that kills the agent takes with it what is remembered of failures in memory.
	if step, ok := errors.AsType[*StepError](err); ok && r.Outcome == GivenUp {
		for range u.st.Interrupted - 1 {
			u.m.attempts.failed(u.Service, j.To.Revision, u.st.Retried, step)
		}
	}
	if f := u.st.Failed; f != nil && f.UpdateID == j.UpdateID {
		r.Outcome = Failed
	}
	if r.Outcome == RolledBack || r.Outcome == Failed {
		return r, err
	}
	if err != nil {
		u.undone = err
		u.log.WarnContext(ctx, "the interrupted update is undone", "error", err)
	}
	r.Outcome, r.UpdateID = Recovered, j.UpdateID
	r.Hash, r.PreviousHash = u.installedHash(), j.From.Hash
	return r, nil
}

// killedIn returns the failure of the hook of the after chain that the last process died in, if as many have died as
// are held to be no chance; nil if none is left to run: then nothing but what follows it can have been interrupted.
func (u *update) killedIn(j *Journal) *hooks.StepError {
	if j.Deaths < deathsLimit {
		return nil
	}
	for i := j.Hook; i < len(u.After); i++ {
		if u.After[i].When.Fits(j.Status) {
			return &hooks.StepError{Phase: hooks.After, Index: i, Hook: u.After[i].String(), Err: errKilled}
		}
	}
	return nil
}
