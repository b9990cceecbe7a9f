package hooks

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
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

// A Report tells a chain's runner of each step that runs, i being its position in the chain. Both are called in order,
// from the goroutine that runs the chain, and either may be nil.
type Report struct {
	Begin func(i int)
	End   func(i int, ran Ran)
}

// Ran is how a step went.
type Ran struct {
	Took   time.Duration
	Output string // what it wrote to Output
	Err    error  // nil, or the *StepError
}

// Run runs the steps from position from on that fit ev.Status until one with OnError = Abort fails, and
// returns that *StepError. Failures of steps with OnError = Continue are only reported. No step begins
// after ctx has ended: then the error names the first one left out and wraps ctx's cause; it is no
// *StepError, and that step is not reported. So nil means that every step that fits has had its turn.
func (c Chain) Run(ctx context.Context, from int, ev Event, report Report) error {
	for i := from; i < len(c); i++ {
		if !c[i].When.Fits(ev.Status) {
			continue
		}
		if ctx.Err() != nil {
			return fmt.Errorf("cannot begin %s hook %d, %s: %w", ev.Phase, i+1, c[i].Hook, context.Cause(ctx))
		}
		if err := c.step(ctx, i, ev, report); err != nil && c[i].OnError == Abort {
			return err
		}
	}
	return nil
}

// Ready returns the error of the first step that an update that goes well would run, and fail with, as far as its hook can
// tell; see [Ready].
func (c Chain) Ready(phase Phase) error {
	for i, s := range c {
		hook, tells := s.Hook.(Ready)
		if !tells || s.OnError != Abort || !s.When.Fits(StatusUpdate) {
			continue
		}
		if err := hook.Ready(); err != nil {
			return fmt.Errorf("%s hook %d, %s: %w", phase, i+1, s, err)
		}
	}
	return nil
}

// Finish runs every step from position from on that fits ev.Status, whatever fails, and returns all the
// failures of steps with OnError = Abort, joined. It puts a machine back in order: after a failure one
// hook more that cannot do its part is no reason to leave out the rest. The caller gives it a context of
// its own: under one that has ended every step would fail.
func (c Chain) Finish(ctx context.Context, from int, ev Event, report Report) error {
	var errs []error
	for i := from; i < len(c); i++ {
		if !c[i].When.Fits(ev.Status) {
			continue
		}
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

// A PanicError is a hook's panic. A bug in one hook fails its step and not the daemon, which has other
// services to look after and must still run the rest of this one's chain.
type PanicError struct {
	Value any
	Stack []byte // of the goroutine that panicked; not part of the error's text
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("panic: %v (a bug in this hook, please report it)", e.Value)
}

// Unwrap returns the value that was panicked with, if that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// step runs one step within its timeout. It says why the step's context ended where the hook's error
// does not.
func (c Chain) step(ctx context.Context, i int, ev Event, report Report) error {
	s := c[i]
	ctx, cancel := context.WithTimeoutCause(ctx, s.Timeout, errTimeout{s.Timeout})
	defer cancel()
	if report.Begin != nil {
		report.Begin(i)
	}
	var out output
	start := time.Now()
	err := runSafely(context.WithValue(ctx, outputKey{}, &out), s.Hook, ev)
	took := time.Since(start)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
			err = fmt.Errorf("%w: %w", cause, err)
		}
		err = &StepError{Phase: ev.Phase, Index: i, Hook: s.String(), Err: err}
	}
	if report.End != nil {
		report.End(i, Ran{Took: took, Output: out.String(), Err: err})
	}
	return err
}

func runSafely(ctx context.Context, h Hook, ev Event) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return h.Run(ctx, ev)
}
