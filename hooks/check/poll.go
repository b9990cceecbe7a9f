package check

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/internal/attr"
)

// timing are the attributes that say when a check is made and when it is over.
type timing struct {
	// Interval (default "1s") is the pause between the end of a try and the next one.
	Interval      *string   `hcl:"interval"`
	IntervalRange hcl.Range `hcl:"interval,attr_value_range"`

	// TryTimeout (default "5s", at most the deadline) is how long one try may take.
	TryTimeout      *string   `hcl:"tryTimeout"`
	TryTimeoutRange hcl.Range `hcl:"tryTimeout,attr_value_range"`

	// Successes (default 1) is how many tries in a row must be healthy.
	Successes      *int      `hcl:"successes"`
	SuccessesRange hcl.Range `hcl:"successes,attr_value_range"`

	// Deadline (default "60s") is how long the application may take to become healthy: no try begins
	// later than that after the first one.
	Deadline      *string   `hcl:"deadline"`
	DeadlineRange hcl.Range `hcl:"deadline,attr_value_range"`
}

// poll tries until it is healthy.
type poll struct {
	interval, tryTimeout, deadline time.Duration
	successes                      int
}

// margin is what a step's timeout has over everything that a check may take.
const margin = time.Second

// DefaultTimeout leaves time for the deadline and for a try that began just before it.
func (p poll) DefaultTimeout() time.Duration { return p.deadline + p.tryTimeout + margin }

// decode applies the defaults and checks the rules; diags is what decoding has found so far.
func (t timing) decode(diags hcl.Diagnostics) (poll, hcl.Diagnostics) {
	p := poll{interval: time.Second, tryTimeout: 5 * time.Second, deadline: time.Minute, successes: 1}
	var found hcl.Diagnostics
	duration := func(name string, text *string, at hcl.Range, into *time.Duration) bool {
		if text == nil || !attr.Decoded(diags, at) {
			return false
		}
		d, wrong := attr.Duration(name, *text, at)
		found = append(found, wrong...)
		if wrong == nil {
			*into = d
		}
		return wrong == nil
	}
	duration("deadline", t.Deadline, t.DeadlineRange, &p.deadline)
	if !duration("tryTimeout", t.TryTimeout, t.TryTimeoutRange, &p.tryTimeout) {
		p.tryTimeout = min(p.tryTimeout, p.deadline)
	} else if p.tryTimeout > p.deadline {
		found = append(found, attr.Mistake(t.TryTimeoutRange, "tryTimeout longer than deadline",
			fmt.Sprintf("One try may take %s, but all of them together have the deadline of %s.", p.tryTimeout, p.deadline)))
	}
	if duration("interval", t.Interval, t.IntervalRange, &p.interval) && p.interval >= p.deadline {
		found = append(found, attr.Mistake(t.IntervalRange, "interval longer than deadline",
			fmt.Sprintf("With a pause of %s there is no second try before the deadline of %s.", p.interval, p.deadline)))
	}
	if t.Successes != nil {
		p.successes = *t.Successes
		switch {
		case p.successes < 1:
			found = append(found, attr.Mistake(t.SuccessesRange, "Invalid successes", "At least one try must be healthy."))
		case time.Duration(p.successes-1) > p.deadline/p.interval:
			found = append(found, attr.Mistake(t.SuccessesRange, "Too many successes",
				fmt.Sprintf("%d successes in a row, %s apart, do not fit into the deadline of %s.", p.successes, p.interval, p.deadline)))
		}
	}
	return p, found
}

// run calls try until it has returned nil as often in a row as is asked for, or the deadline is over.
// An error of try is the answer as a person should read it. Each answer that is another one than before goes to
// hooks.Output, with the time since the beginning.
func (p poll) run(ctx context.Context, try func(context.Context) error) error {
	start := time.Now()
	inRow, said := 0, ""
	last := errors.New("none yet")
	for {
		if ctx.Err() != nil {
			return stopped(ctx, last)
		}
		err := p.try(ctx, try)
		switch {
		case err == nil:
			inRow++
		case ctx.Err() != nil:
			return stopped(ctx, last)
		default:
			inRow, last = 0, err
		}
		if answer := answerOf(err); answer != said {
			said = answer
			fmt.Fprintf(hooks.Output(ctx), "after %s: %s\n", time.Since(start).Round(100*time.Millisecond), answer)
		}
		if inRow == p.successes {
			return nil
		}
		if time.Since(start)+p.interval > p.deadline {
			return p.late(inRow, last)
		}
		timer := time.NewTimer(p.interval)
		select {
		case <-ctx.Done():
			timer.Stop()
		case <-timer.C:
		}
	}
}

func answerOf(err error) string {
	if err == nil {
		return "healthy"
	}
	return err.Error()
}

// try makes one try. That it ran out of its own time is an answer like any other, and no end of a context
// that would concern the caller.
func (p poll) try(ctx context.Context, try func(context.Context) error) error {
	tryCtx, cancel := context.WithTimeout(ctx, p.tryTimeout)
	defer cancel()
	err := try(tryCtx)
	if err != nil && tryCtx.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("no answer within %s", p.tryTimeout)
	}
	return err
}

func stopped(ctx context.Context, last error) error {
	return fmt.Errorf("stopped before it was healthy: %w; last answer: %w", context.Cause(ctx), last)
}

func (p poll) late(inRow int, last error) error {
	if inRow > 0 {
		return fmt.Errorf("not healthy within %s: healthy only %d times in a row, and not %d; answer before that: %w",
			p.deadline, inRow, p.successes, last)
	}
	return fmt.Errorf("not healthy within %s: last answer: %w", p.deadline, last)
}
