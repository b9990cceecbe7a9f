package dropship

import (
	"context"
	"errors"
	"fmt"
)

// errAsked is why an update gives way that has not begun its hooks: a person wants something of the service.
var errAsked = errors.New("a person wants something else of this service")

// ErrUnknownService means that the agent keeps no service of that name.
var ErrUnknownService = errors.New("no such service")

// ErrEnded means that nothing came of what a person wanted, who may ask again.
var ErrEnded = errors.New("the service was configured anew, or the agent is stopping: ask again")

// ask has f done by the loop, which works on the service alone: when its update is through, if the hooks of that have
// begun, else at once. The context that f gets has ended if the loop has.
func (l *loop) ask(f func(context.Context)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.done:
		ended, cancel := context.WithCancelCause(context.Background())
		cancel(ErrEnded)
		go f(ended)
		return
	default:
	}
	l.asked = append(l.asked, f)
	if l.giveWay != nil {
		l.giveWay(errAsked)
	}
	select {
	case l.wake <- struct{}{}:
	default: // it is being woken already
	}
}

// begin returns the context of the next update; nil: a person wants something first.
func (l *loop) begin(ctx context.Context) (attempt context.Context, end func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.asked) > 0 {
		return nil, nil
	}
	attempt, giveWay := context.WithCancelCause(ctx)
	l.giveWay = giveWay
	return attempt, func() {
		l.mu.Lock()
		l.giveWay = nil
		l.mu.Unlock()
		giveWay(nil)
	}
}

// obey does what persons want, one after the other.
func (l *loop) obey(ctx context.Context) {
	for {
		l.mu.Lock()
		var f func(context.Context)
		if len(l.asked) > 0 {
			f, l.asked = l.asked[0], l.asked[1:]
		}
		l.mu.Unlock()
		if f == nil {
			return
		}
		f(ctx)
	}
}

// end is the end of the loop: what was asked for and not done is told so.
func (l *loop) end() {
	l.mu.Lock()
	close(l.done)
	l.mu.Unlock()
	ended, cancel := context.WithCancelCause(context.Background())
	cancel(ErrEnded)
	l.obey(ended)
}

// loop returns the loop of a service.
func (a *Agent) loop(name string) (*loop, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.loops[name]
	if l == nil {
		return nil, fmt.Errorf("%w: %q is not configured", ErrUnknownService, name)
	}
	return l, nil
}

// An answer is what came of something that was asked for.
type answer[T any] struct {
	value T
	err   error
}

// askFor has do done by the loop of a service, and waits for it. When ctx ends before that has begun it is not done; when
// ctx ends later the caller only does not hear of it.
func askFor[T any](ctx context.Context, a *Agent, name string, do func(context.Context, *loop) (T, error)) (T, error) {
	var none T
	l, err := a.loop(name)
	if err != nil {
		return none, err
	}
	done := make(chan answer[T], 1)
	l.ask(func(loopCtx context.Context) {
		switch {
		case loopCtx.Err() != nil:
			done <- answer[T]{err: context.Cause(loopCtx)}
		case ctx.Err() != nil:
			done <- answer[T]{err: context.Cause(ctx)}
		default:
			value, err := do(loopCtx, l)
			if err != nil && abandoned(loopCtx, err) {
				err = ErrEnded
			}
			done <- answer[T]{value, err}
		}
	})
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		return none, context.Cause(ctx)
	}
}
