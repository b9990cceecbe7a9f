package dropship

import (
	"context"
	"time"
)

// What persons can have the agent do. All of it is for one service, by its name; ErrUnknownService means that the agent
// keeps none of that name. An update whose hooks have begun is completed first, one that has not is given up for it and
// begun again.

// Check checks a service at once, whatever is due, and returns what came of it: when there was nothing to install, or
// could be none, or, where there is, when its update has begun. What failed and is held back stays so; see Retry.
func (a *Agent) Check(ctx context.Context, name string) (Event, error) {
	if a.live.waits(name) { // what is published meanwhile is noticed when its turn comes: it keeps its place
		now := a.live.of(name).activity
		return Event{Time: time.Now(), Type: UpdateBegun, Service: name, UpdateID: now.UpdateID, Status: now.Status, Hash: now.Hash, PreviousHash: now.PreviousHash, By: now.By}, nil
	}
	type subscription struct {
		events <-chan Event
		cancel func()
	}
	// From when the check that was under way has given way.
	sub, err := askFor(ctx, a, name, func(context.Context, *loop) (subscription, error) {
		events, cancel := a.hub.Subscribe()
		return subscription{events, cancel}, nil
	})
	if err != nil {
		return Event{}, err
	}
	defer sub.cancel()
	for {
		select {
		case e, ok := <-sub.events:
			if !ok {
				return Event{}, ErrEnded
			}
			if e.Service == name && (e.Type == Checked && e.Outcome != Abandoned || e.Type == UpdateBegun) {
				return e, nil
			}
		case <-ctx.Done():
			return Event{}, context.Cause(ctx)
		}
	}
}

// Rollback is Service.Rollback, by the running agent. It returns when the release is back and its hooks have run, or
// that has failed. A ctx that ends while it waits for a slot gives it up; later it is completed.
func (a *Agent) Rollback(ctx context.Context, name string, req RollbackRequest) (Result, error) {
	l, err := a.loop(name)
	if err != nil {
		return Result{}, err
	}
	if err := l.service.keeps(a.m, req.To); err != nil { // before anything gives way to it
		return Result{}, err
	}
	return askFor(ctx, a, name, func(loopCtx context.Context, l *loop) (Result, error) {
		attempt, cancel := context.WithCancelCause(loopCtx)
		defer cancel(nil)
		defer context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })()
		for {
			r, err := l.service.Rollback(attempt, l.m, req)
			if err == nil && r.Outcome == Recovered {
				l.report(loopCtx, r, nil)
				continue // an update that was interrupted came first
			}
			if err == nil {
				l.log.InfoContext(loopCtx, "rolled back, as asked for", "hash", r.Hash, "previous_hash", r.PreviousHash, "by", req.By, "update_id", r.UpdateID)
			} else {
				l.report(loopCtx, r, err)
			}
			return r, err
		}
	})
}

// Retry is Service.Retry, by the running agent, which then checks at once. What waits for its turn, with nothing
// quarantined on this machine, keeps its place in line: it looks at the group's quarantines again when it has the slot.
func (a *Agent) Retry(ctx context.Context, name, by string) ([]Quarantined, error) {
	if a.live.waits(name) {
		if st, err := a.m.Store.Load(name); err == nil && len(st.Quarantine) == 0 {
			l, err := a.loop(name)
			if err != nil {
				return nil, err
			}
			freed, err := l.service.lift(ctx, nil, by)
			if err == nil && len(freed) > 0 {
				l.retried(ctx, by)
			}
			return freed, err
		}
	}
	return askFor(ctx, a, name, func(loopCtx context.Context, l *loop) ([]Quarantined, error) {
		freed, err := l.service.Retry(loopCtx, l.m, by)
		if err == nil {
			l.retried(loopCtx, by)
		}
		return freed, err
	})
}

func (l *loop) retried(ctx context.Context, by string) {
	l.log.InfoContext(ctx, "what failed is tried again, as asked for", "by", by)
	l.m.emit(Event{Type: Retried, Service: l.service.Name, By: by})
}

// Pause keeps a service from being updated until Resume, or until p.Until; it outlives the agent. What waits for its turn
// gives up its place. It returns at once, and whether there is an update whose hooks have begun, which is completed.
func (a *Agent) Pause(name string, p Pause) (updating bool, err error) {
	l, err := a.loop(name)
	if err != nil {
		return false, err
	}
	p.Since = time.Now().UTC()
	if err := a.m.Store.Pause(name, p); err != nil {
		return false, err
	}
	l.logPaused(context.Background(), p)
	a.m.emit(Event{Type: Paused, Service: name, By: p.By, Reason: p.Reason})
	updating = a.live.committed(name)
	l.ask(func(context.Context) {}) // what has not begun its hooks begins anew, and finds the pause
	return updating, nil
}

// Resume ends a pause, and checks at once. It returns the pause that it ended; nil: there was none.
func (a *Agent) Resume(name, by string) (*Pause, error) {
	l, err := a.loop(name)
	if err != nil {
		return nil, err
	}
	p, err := a.m.Store.Resume(name)
	if err != nil || p == nil {
		return nil, err
	}
	l.log.Info("resumed", "by", by)
	a.m.emit(Event{Type: Resumed, Service: name, By: by})
	l.ask(func(context.Context) {})
	return p, nil
}

// Subscribe returns what happens on the agent's machine from now on; see Hub.
func (a *Agent) Subscribe() (events <-chan Event, cancel func()) { return a.hub.Subscribe() }
