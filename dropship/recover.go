package dropship

import (
	"context"
	"errors"
	"slices"

	"github.com/dropship/dropship/hooks"
)

// errInterrupted is why an update that was cut off before its switch is given up.
var errInterrupted = errors.New("the update was interrupted before its switch (the process was killed, or the machine went down)")

// recover completes or undoes the update that the journal tells of. It takes no slot for what is left of the
// after chain: the one that the update held may be another machine's by now, and an application that stands
// still is not to wait for it.
func (u *update) recover(ctx context.Context) (r Result, err error) {
	// It counts from the start of the update, in another process, by a date that may have been set back since.
	defer func() { r.Took = max(0, r.Took) }()
	ctx = context.WithoutCancel(ctx)
	j := u.st.Journal
	u.id = j.UpdateID
	u.log = u.m.Logger.With("service", u.Name, "update_id", u.id)
	u.log.WarnContext(ctx, "an update was interrupted: completing or undoing it", "hash", j.To.Hash, "status", string(j.Status))
	if !slices.Equal(j.Chain, names(u.After)) {
		j.Chain, j.Hook = names(u.After), 0 // it is another chain by now: none of its hooks has run
	}
	// Where nothing can be recorded, hooks would run again and again.
	if err := u.m.Store.Save(u.st); err != nil {
		return Result{}, &StepError{StepState, err}
	}

	current, known, err := u.Site.Current()
	if err != nil {
		return Result{}, &StepError{StepState, err}
	}
	switched := known && current.ID == j.To.ID

	switch {
	case j.Status == hooks.StatusFailed:
		r, err = u.giveUp(ctx, j, StepBefore, errors.New(j.Error))
	case j.Status == hooks.StatusRollback:
		r, err = u.putBack(ctx, j)
	case !switched:
		r, err = u.giveUp(ctx, j, StepBefore, errInterrupted)
	default:
		if err = u.after(ctx, j); err != nil {
			// The application would be stopped once more, as in any update: that is for its turn to come.
			defer u.takeTurn(ctx, j)()
			return u.rollBack(ctx, j, err)
		}
		err = u.settle(ctx, j)
	}
	if serr := u.m.Store.Save(u.st); serr != nil {
		return r, &StepError{StepState, errors.Join(err, serr)}
	}
	if f := u.st.Failed; f != nil && f.UpdateID == j.UpdateID {
		r.Outcome = Failed
	}
	if r.Outcome == RolledBack || r.Outcome == Failed {
		return r, err
	}
	if err != nil {
		u.log.WarnContext(ctx, "the interrupted update is undone", "error", err)
	}
	r.Outcome, r.UpdateID = Recovered, j.UpdateID
	return r, nil
}
