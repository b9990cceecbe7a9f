package hooks

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A Chain is the steps of one phase, in the order of the file.
type Chain []Step

// A StepError is the failure of one step.
type StepError struct {
	Phase Phase
	Index int    // position in the chain, from 0
	Hook  string // Hook.String()
	Err   error
}

func (e *StepError) Error() string {
	return fmt.Sprintf("%s hook %d, %s: %v", e.Phase, e.Index+1, e.Hook, e.Err)
}

func (e *StepError) Unwrap() error { return e.Err }

// A Report tells a chain's runner of each step that ran, i being its position in the chain: err is nil,
// or the *StepError. It is called in order, from the goroutine that runs the chain.
type Report func(i int, took time.Duration, err error)

// Run runs the steps from position from on that fit ev.Status until one with OnError = Abort fails, and
// returns that *StepError. Failures of steps with OnError = Continue are only reported.
func (c Chain) Run(ctx context.Context, from int, ev Event, report Report) error {
	for i := from; i < len(c); i++ {
		err := c.step(ctx, i, ev, report)
		if err != nil && c[i].OnError == Abort {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// Finish runs every step from position from on that fits ev.Status, whatever fails, and returns all the
// failures of steps with OnError = Abort, joined. It puts a machine back in order: after a failure one
// hook more that cannot do its part is no reason to leave out the rest.
func (c Chain) Finish(ctx context.Context, from int, ev Event, report Report) error {
	var errs []error
	for i := from; i < len(c); i++ {
		if err := c.step(ctx, i, ev, report); err != nil && c[i].OnError == Abort {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// errTimeout is the cause of a step's context that ran out; it makes the difference between a step's
// own limit and the end of the whole update visible to the hook.
type errTimeout struct{ limit time.Duration }

func (e errTimeout) Error() string { return fmt.Sprintf("not done within its timeout of %s", e.limit) }
func (errTimeout) Is(target error) bool {
	return target == context.DeadlineExceeded
}

func (c Chain) step(ctx context.Context, i int, ev Event, report Report) error {
	s := c[i]
	if !s.When.Fits(ev.Status) {
		return nil
	}
	start := time.Now()
	ctx, cancel := context.WithTimeoutCause(ctx, s.Timeout, errTimeout{s.Timeout})
	err := s.Run(ctx, ev)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
			err = fmt.Errorf("%w: %w", cause, err)
		}
		err = &StepError{Phase: ev.Phase, Index: i, Hook: s.String(), Err: err}
	}
	cancel()
	if report != nil {
		report(i, time.Since(start), err)
	}
	return err
}
