package dropship

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dropship/dropship/hooks"
)

// Unfinished is what an update that failed could not put in order: hooks of its after chain that failed
// themselves, such as the end of a maintenance while Consul was down. They are run again at later checks, less
// and less often, until they succeed or an update runs the whole chain.
type Unfinished struct {
	Update   Journal   `json:"update"`
	Hooks    []int     `json:"hooks"` // their positions in Update.Chain
	Error    string    `json:"error"` // of the last try
	Failures int       `json:"failures"`
	Next     time.Time `json:"next"` // not again before
}

// Names returns the hooks that are to run again, as they are called.
func (l *Unfinished) Names() []string {
	var n []string
	for _, i := range l.Hooks {
		n = append(n, l.Update.Chain[i])
	}
	return n
}

// finish runs the after chain from where the journal says to its end, whatever fails, to leave the machine in
// order. It returns what failed, and remembers it as unfinished, together with the hooks that failed before.
func (u *update) finish(ctx context.Context, j *Journal, before ...*hooks.StepError) (err error) {
	defer u.step(StepAfter)(&err)
	var failed []int
	var errs []error
	for _, step := range before {
		failed, errs = append(failed, step.Index), append(errs, step)
	}
	report := u.journaled(ctx, j)
	end := report.End
	report.End = func(i int, ran hooks.Ran) {
		if ran.Err != nil && u.After[i].OnError == hooks.Abort {
			failed = append(failed, i)
		}
		end(i, ran)
	}
	err = u.After.Finish(ctx, j.Hook, u.event(j, hooks.After), report)
	if len(failed) > 0 {
		u.st.Unfinished = &Unfinished{
			Update: *j, Hooks: failed, Error: errors.Join(append(errs, err)...).Error(), Next: time.Now().Add(u.CheckInterval),
		}
	}
	return err
}

// putInOrder runs what is unfinished again, if it is time. The check goes on whatever comes of it: another
// artifact may be what is needed.
func (u *update) putInOrder(ctx context.Context) {
	left := u.st.Unfinished
	if left == nil {
		return
	}
	// No wait is longer than the cap: one that seems so was written down before the clock was set back.
	if wait := time.Until(left.Next); wait > 0 && wait <= max(u.CheckInterval, attemptsCap) {
		return
	}
	ctx = context.WithoutCancel(ctx)
	left.Failures++
	left.Next = time.Now().Add(backoff(u.CheckInterval, attemptsCap, left.Failures+1))
	if now := names(u.After); !slices.Equal(left.Update.Chain, now) {
		// It is another chain by now, of which nothing has run.
		left.Update.Chain, left.Hooks = now, nil
		for i := range now {
			left.Hooks = append(left.Hooks, i)
		}
	}
	// Before, not after: where nothing can be recorded, hooks would run at every check.
	if err := u.m.Store.Save(u.st); err != nil {
		left.Error = err.Error()
		return
	}
	var chain hooks.Chain
	for _, i := range left.Hooks {
		chain = append(chain, u.After[i])
	}
	u.log.InfoContext(ctx, "running again what could not be put in order", "failed_update", left.Update.UpdateID, "hooks", len(chain))
	end := u.step(StepAfter)
	ev := u.event(&left.Update, hooks.After)
	err := chain.Finish(ctx, 0, ev, u.report(ctx, ev, chain))
	end(&err)
	if err != nil {
		left.Error = err.Error()
	} else {
		u.st.Unfinished = nil
		u.log.InfoContext(ctx, "put in order")
	}
	if err := u.m.Store.Save(u.st); err != nil {
		u.log.WarnContext(ctx, "cannot record what was put in order", "error", err)
	}
}

// outOfOrder returns an error as long as something is unfinished: this machine needs somebody's eye even if it has
// what the repository holds.
func (u *update) outOfOrder() error {
	if u.st.Unfinished == nil {
		return nil
	}
	return &StepError{StepAfter, outOfOrder(u.st.Unfinished)}
}

func outOfOrder(left *Unfinished) error {
	return fmt.Errorf("not in order since update %s failed: %s still to run: %s", left.Update.UpdateID, strings.Join(left.Names(), ", "), left.Error)
}
