package check_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/check"
)

var errDown = errors.New("503 Service Unavailable")

// answers makes a try that gives these answers in turn, the last one for ever; each takes no time.
func answers(tries *int, list ...error) func(context.Context) error {
	return func(context.Context) error {
		*tries++
		return list[min(*tries, len(list))-1]
	}
}

func TestPoll(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		successes int
		answers   []error
		tries     int
		took      time.Duration
		err       string
	}{
		{"healthy at once", 1, []error{nil}, 1, 0, ""},
		{"healthy later", 1, []error{errDown, errDown, nil}, 3, 2 * time.Second, ""},
		{"never", 1, []error{errors.New("starting"), errDown}, 11, 10 * time.Second, "not healthy within 10s: last answer: 503 Service Unavailable"},
		{"three in a row", 3, []error{nil, nil, errDown, nil, nil, nil}, 6, 5 * time.Second, ""},
		{
			"not often enough", 3,
			[]error{errDown, errDown, errDown, errDown, errDown, errDown, errDown, errDown, errDown, nil},
			11, 10 * time.Second,
			"not healthy within 10s: healthy only 2 times in a row, and not 3; answer before that: 503 Service Unavailable",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				start, tries := time.Now(), 0
				err := check.Poll(t.Context(), time.Second, 2*time.Second, 10*time.Second, tt.successes, answers(&tries, tt.answers...))
				if took := time.Since(start); tries != tt.tries || took != tt.took {
					t.Errorf("got %d tries in %s, want %d in %s", tries, took, tt.tries, tt.took)
				}
				if got := errorText(err); got != tt.err {
					t.Errorf("got %q, want %q", got, tt.err)
				}
			})
		})
	}
}

type polling struct{ try func(context.Context) error }

func (polling) String() string { return "polling" }

func (h polling) Run(ctx context.Context, _ hooks.Event) error {
	return check.Poll(ctx, time.Second, 2*time.Second, 10*time.Second, 1, h.try)
}

// What the answers were is kept, each once as long as it is the same.
func TestPollOutput(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tries, output := 0, ""
		h := polling{answers(&tries, errors.New("connection refused"), errDown, errDown, errDown, nil)}
		chain := hooks.Chain{{Hook: h, Timeout: time.Minute, OnError: hooks.Abort, When: hooks.Always}}
		if err := chain.Run(t.Context(), 0, hooks.Event{}, hooks.Report{End: func(_ int, ran hooks.Ran) { output = ran.Output }}); err != nil {
			t.Fatal(err)
		}
		want := "after 0s: connection refused\nafter 1s: 503 Service Unavailable\nafter 4s: healthy\n"
		if output != want {
			t.Errorf("got output %q, want %q", output, want)
		}
	})
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func hang(ctx context.Context) error {
	<-ctx.Done()
	return fmt.Errorf("dial: %w", ctx.Err())
}

func TestPollTryThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		err := check.Poll(t.Context(), time.Second, 2*time.Second, 10*time.Second, 1, hang)
		if got, want := errorText(err), "not healthy within 10s: last answer: no answer within 2s"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v looks like the end of the caller's context", err)
		}
		// Tries begin after 0, 3, 6 and 9 seconds; the last one has its full time.
		if got, want := time.Since(start), 11*time.Second; got != want {
			t.Errorf("took %s, want %s", got, want)
		}
	})
}

func TestPollCancelled(t *testing.T) {
	t.Parallel()
	errLost := errors.New("slot lost")
	tests := []struct {
		name  string
		after time.Duration
		try   func(context.Context) error
		want  string
	}{
		{"in the first try", time.Second, hang, "stopped before it was healthy: slot lost; last answer: none yet"},
		{"in a later try", 4 * time.Second, hang, "stopped before it was healthy: slot lost; last answer: no answer within 2s"},
		{"in a pause", 500 * time.Millisecond, func(context.Context) error { return errDown }, "stopped before it was healthy: slot lost; last answer: 503 Service Unavailable"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(tt.after, func() { cancel(errLost) })
				start := time.Now()
				err := check.Poll(ctx, time.Second, 2*time.Second, 10*time.Second, 1, tt.try)
				if got := errorText(err); got != tt.want || !errors.Is(err, errLost) {
					t.Errorf("got %q, want %q", got, tt.want)
				}
				if got := time.Since(start); got != tt.after {
					t.Errorf("took %s, want %s", got, tt.after)
				}
			})
		})
	}
}
