package dropship

import (
	"context"
	"slices"
	"time"

	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/lock"
)

// before runs the before chain. It is stopped when the slot is lost: from then on another machine may
// have its turn, and nothing has been switched here yet.
func (u *update) before(ctx context.Context, j *Journal) (err error) {
	defer u.step(StepBefore)(&err)
	if u.lease != nil {
		var cancel context.CancelFunc
		ctx, cancel = lock.WithLease(ctx, u.lease)
		defer cancel()
	}
	ev := u.event(j, hooks.Before)
	if j.From.ID != "" {
		return u.Before.Run(ctx, 0, ev, u.report(ctx, ev, u.Before))
	}
	// Nothing is installed yet, so there is nothing that a hook could protect: stopping a service that
	// does not exist fails by nature.
	failed := u.Before.Finish(ctx, 0, ev, u.report(ctx, ev, u.Before))
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if failed != nil {
		u.log.WarnContext(ctx, "a before hook failed: going on, since this is the first install", "error", failed)
	}
	return nil
}

// after runs the after chain from where the journal says, until a step that aborts.
func (u *update) after(ctx context.Context, j *Journal) (err error) {
	defer u.step(StepAfter)(&err)
	defer u.sayLost(ctx)
	return u.onlyOnce(ctx, j).Run(ctx, j.Hook, u.event(j, hooks.After), u.journaled(ctx, j))
}

// onlyOnce returns the after chain, in which announcements are journaled before they run: one that is missing
// after a kill does less harm than one that is there twice. All other hooks are journaled when they have run.
func (u *update) onlyOnce(ctx context.Context, j *Journal) hooks.Chain {
	chain := slices.Clone(u.After)
	for i, step := range chain {
		if step.When == hooks.Success && step.OnError == hooks.Continue {
			chain[i].Hook = announcement{step.Hook, func() { u.ran(ctx, j, i) }}
		}
	}
	return chain
}

type announcement struct {
	hooks.Hook
	journal func()
}

// Run implements hooks.Hook.
func (a announcement) Run(ctx context.Context, ev hooks.Event) error {
	a.journal()
	return a.Hook.Run(ctx, ev)
}

// ran keeps in the state that hook i of the after chain need not run any more.
func (u *update) ran(ctx context.Context, j *Journal, i int) {
	if j.Hook > i {
		return
	}
	j.Hook = i + 1
	if err := u.m.Store.Save(u.st); err != nil {
		u.log.WarnContext(ctx, "cannot record that a hook has run: after an interruption it would run again", "error", err)
	}
}

// sayLost says once that the slot was lost when it was too late to turn back.
func (u *update) sayLost(ctx context.Context) {
	if u.lease == nil || u.saidLost {
		return
	}
	select {
	case <-u.lease.Lost():
		u.saidLost = true
		u.log.ErrorContext(ctx, "slot lost after the switch: this machine finishes its update; another may be updating at the same time",
			"error", u.lease.Err())
	default:
	}
}

// journaled reports hooks and keeps in the state which of the after chain have run, so that after an
// interruption only the one that was interrupted is run again.
func (u *update) journaled(ctx context.Context, j *Journal) hooks.Report {
	report := u.report(ctx, u.event(j, hooks.After), u.After)
	end := report.End
	report.End = func(i int, ran hooks.Ran) {
		end(i, ran)
		if ran.Err != nil && u.After[i].OnError == hooks.Abort && j.Status != hooks.StatusFailed {
			return // the chain ends here; what comes next is journaled by whoever decides it
		}
		if i == len(u.After)-1 {
			return // the chain is through; its end is recorded in a moment
		}
		u.ran(ctx, j, i)
	}
	return report
}

// report tells of each hook of a chain that runs, and logs how it went.
func (u *update) report(ctx context.Context, ev hooks.Event, chain hooks.Chain) hooks.Report {
	event := func(t EventType, i int) Event {
		return Event{Type: t, Status: ev.Status, Hook: &HookEvent{Phase: ev.Phase, Index: i, Name: chain[i].String()}}
	}
	return hooks.Report{
		Begin: func(i int) { u.emit(event(HookBegun, i)) },
		End: func(i int, ran hooks.Ran) {
			log := u.log.With("phase", string(ev.Phase), "hook", chain[i].String(), "took", ran.Took.Round(time.Millisecond))
			switch {
			case ran.Err == nil:
				log.InfoContext(ctx, "hook done")
			case chain[i].OnError == hooks.Continue:
				log.WarnContext(ctx, "hook failed: going on", "error", ran.Err)
			default:
				log.WarnContext(ctx, "hook failed", "error", ran.Err)
			}
			e := event(HookEnded, i)
			e.Hook.Output, e.Took, e.Err = ran.Output, Seconds(ran.Took), ran.Err
			u.emit(e)
		},
	}
}

// names returns the hooks of a chain as they are called.
func names(chain hooks.Chain) []string {
	n := make([]string, len(chain))
	for i, step := range chain {
		n[i] = step.String()
	}
	return n
}

func (u *update) event(j *Journal, phase hooks.Phase) hooks.Event {
	return hooks.Event{
		Name:         u.Name,
		Hostname:     u.m.Hostname,
		Hash:         j.To.Hash,
		PreviousHash: j.From.Hash,
		Phase:        phase,
		Status:       j.Status,
		Error:        j.Error,
		Artifact:     u.Source.String(),
		Destination:  u.Site.Destination(),
		UpdateID:     j.UpdateID,
		Started:      j.Started,
	}
}
