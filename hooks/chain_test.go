package hooks_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropship/dropship/hooks"
)

// fake is a hook made of a function.
type fake struct {
	name string
	run  func(ctx context.Context, ev hooks.Event) error
}

var _ hooks.Hook = fake{}

func (f fake) String() string                                { return f.name }
func (f fake) Run(ctx context.Context, ev hooks.Event) error { return f.run(ctx, ev) }

var errBroken = errors.New("broken")

func ok(context.Context, hooks.Event) error     { return nil }
func broken(context.Context, hooks.Event) error { return errBroken }
func hangs(ctx context.Context, _ hooks.Event) error {
	<-ctx.Done()
	return ctx.Err()
}

func step(name string, run func(context.Context, hooks.Event) error, onError hooks.OnError, when hooks.When) hooks.Step {
	return hooks.Step{Hook: fake{name, run}, Timeout: 5 * time.Second, OnError: onError, When: when}
}

// reported collects what a chain reports: the names of the hooks, with "!" where they failed.
func reported(c hooks.Chain, into *[]string) hooks.Report {
	return hooks.Report{End: func(i int, ran hooks.Ran) {
		name := c[i].String()
		if ran.Err != nil {
			name += "!"
		}
		*into = append(*into, name)
	}}
}

func TestChainRun(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		chain  hooks.Chain
		from   int
		status hooks.Status
		want   []string
		err    string
	}{
		{name: "empty", status: hooks.StatusUpdate},
		{
			name:   "in order",
			chain:  hooks.Chain{step("a", ok, hooks.Abort, hooks.Always), step("b", ok, hooks.Abort, hooks.Always)},
			status: hooks.StatusUpdate,
			want:   []string{"a", "b"},
		},
		{
			name: "abort stops",
			chain: hooks.Chain{
				step("a", ok, hooks.Abort, hooks.Always),
				step("b", broken, hooks.Abort, hooks.Always),
				step("c", ok, hooks.Abort, hooks.Always),
			},
			status: hooks.StatusUpdate,
			want:   []string{"a", "b!"},
			err:    "after hook 2, b: broken",
		},
		{
			name:   "continue goes on",
			chain:  hooks.Chain{step("a", broken, hooks.Continue, hooks.Always), step("b", ok, hooks.Abort, hooks.Always)},
			status: hooks.StatusUpdate,
			want:   []string{"a!", "b"},
		},
		{
			name: "when in an update",
			chain: hooks.Chain{
				step("always", ok, hooks.Abort, hooks.Always),
				step("success", ok, hooks.Abort, hooks.Success),
				step("failure", ok, hooks.Abort, hooks.Failure),
			},
			status: hooks.StatusUpdate,
			want:   []string{"always", "success"},
		},
		{
			name: "when in a rollback",
			chain: hooks.Chain{
				step("always", ok, hooks.Abort, hooks.Always),
				step("success", ok, hooks.Abort, hooks.Success),
				step("failure", ok, hooks.Abort, hooks.Failure),
			},
			status: hooks.StatusRollback,
			want:   []string{"always", "failure"},
		},
		{
			name:   "from a position",
			chain:  hooks.Chain{step("a", broken, hooks.Abort, hooks.Always), step("b", ok, hooks.Abort, hooks.Always)},
			from:   1,
			status: hooks.StatusFailed,
			want:   []string{"b"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			err := tt.chain.Run(t.Context(), tt.from, hooks.Event{Phase: hooks.After, Status: tt.status}, reported(tt.chain, &got))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("steps that ran (-want +got):\n%s", diff)
			}
			if got, want := text(err), tt.err; got != want {
				t.Errorf("error: got %q, want %q", got, want)
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestChainRunError(t *testing.T) {
	t.Parallel()
	c := hooks.Chain{step("a", ok, hooks.Abort, hooks.Always), step("b", broken, hooks.Abort, hooks.Always)}
	err := c.Run(t.Context(), 0, hooks.Event{Phase: hooks.Before, Status: hooks.StatusUpdate}, hooks.Report{})
	var stepErr *hooks.StepError
	if !errors.As(err, &stepErr) {
		t.Fatalf("got %T, want a *StepError", err)
	}
	if got, want := *stepErr, (hooks.StepError{Phase: hooks.Before, Index: 1, Hook: "b", Err: errBroken}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if !errors.Is(err, errBroken) {
		t.Errorf("%v does not carry its cause", err)
	}
}

func TestStepTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := hooks.Chain{step("slow", hangs, hooks.Abort, hooks.Always)}
		start := time.Now()
		err := c.Run(t.Context(), 0, hooks.Event{Phase: hooks.After, Status: hooks.StatusUpdate}, hooks.Report{})
		if got, want := time.Since(start), 5*time.Second; got != want {
			t.Errorf("took %s, want %s", got, want)
		}
		if got, want := text(err), "not done within its timeout of 5s"; !strings.Contains(got, want) {
			t.Errorf("got %q, want %q in it", got, want)
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v is no context.DeadlineExceeded", err)
		}
	})
}

func TestChainRunCancelled(t *testing.T) {
	t.Parallel()
	errLost := errors.New("slot lost")

	t.Run("during a step", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancelCause(t.Context())
		var ran []string
		c := hooks.Chain{
			step("a", func(ctx context.Context, ev hooks.Event) error { cancel(errLost); return hangs(ctx, ev) }, hooks.Abort, hooks.Always),
			step("b", ok, hooks.Abort, hooks.Always),
		}
		err := c.Run(ctx, 0, hooks.Event{Phase: hooks.Before, Status: hooks.StatusUpdate}, reported(c, &ran))
		if got, want := text(err), "before hook 1, a: slot lost: context canceled"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if !errors.Is(err, errLost) || !errors.Is(err, context.Canceled) {
			t.Errorf("%v does not carry both the cause and the hook's error", err)
		}
		if diff := cmp.Diff([]string{"a!"}, ran); diff != "" {
			t.Errorf("steps that ran (-want +got):\n%s", diff)
		}
	})

	t.Run("between two steps", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancelCause(t.Context())
		var ran []string
		c := hooks.Chain{
			step("a", func(context.Context, hooks.Event) error { cancel(errLost); return nil }, hooks.Abort, hooks.Always),
			step("left out", ok, hooks.Abort, hooks.Failure),
			step("b", ok, hooks.Continue, hooks.Always),
		}
		err := c.Run(ctx, 0, hooks.Event{Phase: hooks.Before, Status: hooks.StatusUpdate}, reported(c, &ran))
		if got, want := text(err), "cannot begin before hook 3, b: slot lost"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if !errors.Is(err, errLost) {
			t.Errorf("%v does not carry the cause", err)
		}
		if diff := cmp.Diff([]string{"a"}, ran); diff != "" {
			t.Errorf("steps that ran (-want +got):\n%s", diff)
		}
	})

	t.Run("after the last step", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancelCause(t.Context())
		c := hooks.Chain{step("a", func(context.Context, hooks.Event) error { cancel(errLost); return nil }, hooks.Abort, hooks.Always)}
		if err := c.Run(ctx, 0, hooks.Event{Status: hooks.StatusUpdate}, hooks.Report{}); err != nil {
			t.Errorf("a chain that was done got %v", err)
		}
	})
}

func TestChainFinish(t *testing.T) {
	t.Parallel()
	errOther := errors.New("other")
	c := hooks.Chain{
		step("skipped", broken, hooks.Abort, hooks.Always),
		step("a", broken, hooks.Abort, hooks.Always),
		step("update only", ok, hooks.Abort, hooks.Success),
		step("b", broken, hooks.Continue, hooks.Always),
		step("c", func(context.Context, hooks.Event) error { return errOther }, hooks.Abort, hooks.Failure),
		step("d", ok, hooks.Abort, hooks.Always),
	}
	var ran []string
	err := c.Finish(t.Context(), 1, hooks.Event{Phase: hooks.After, Status: hooks.StatusFailed}, reported(c, &ran))
	if diff := cmp.Diff([]string{"a!", "b!", "c!", "d"}, ran); diff != "" {
		t.Errorf("steps that ran (-want +got):\n%s", diff)
	}
	if got, want := text(err), "after hook 2, a: broken\nafter hook 5, c: other"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !errors.Is(err, errBroken) || !errors.Is(err, errOther) {
		t.Errorf("%v does not carry both causes", err)
	}
	if err := c[5:].Finish(t.Context(), 0, hooks.Event{Status: hooks.StatusFailed}, hooks.Report{}); err != nil {
		t.Errorf("a chain that went well got %v", err)
	}
}

// tells is a hook that can tell beforehand.
type tells struct {
	fake
	err error
}

func (h tells) Ready() error { return h.err }

func TestChainReady(t *testing.T) {
	t.Parallel()
	cannot := func(name string, onError hooks.OnError, when hooks.When) hooks.Step {
		return hooks.Step{Hook: tells{fake{name, ok}, errBroken}, OnError: onError, When: when}
	}
	able := hooks.Step{Hook: tells{fake{"able", ok}, nil}, OnError: hooks.Abort, When: hooks.Always}
	for name, tt := range map[string]struct {
		chain hooks.Chain
		want  string
	}{
		"empty":           {nil, ""},
		"cannot tell":     {hooks.Chain{step("runs", broken, hooks.Abort, hooks.Always)}, ""},
		"able":            {hooks.Chain{able}, ""},
		"not able":        {hooks.Chain{able, cannot("a", hooks.Abort, hooks.Always), cannot("b", hooks.Abort, hooks.Always)}, "after hook 2, a: broken"},
		"on success":      {hooks.Chain{cannot("a", hooks.Abort, hooks.Success)}, "after hook 1, a: broken"},
		"after a failure": {hooks.Chain{cannot("a", hooks.Abort, hooks.Failure)}, ""},
		"only reported":   {hooks.Chain{cannot("a", hooks.Continue, hooks.Always)}, ""},
	} {
		err := tt.chain.Ready(hooks.After)
		if got := errors.Is(err, errBroken); got != (tt.want != "") || got && err.Error() != tt.want {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
}

func TestChainPanic(t *testing.T) {
	t.Parallel()
	c := hooks.Chain{
		step("a", func(context.Context, hooks.Event) error { panic(errBroken) }, hooks.Continue, hooks.Always),
		step("b", func(context.Context, hooks.Event) error { panic("nil map") }, hooks.Abort, hooks.Always),
	}
	var ran []string
	err := c.Run(t.Context(), 0, hooks.Event{Phase: hooks.After, Status: hooks.StatusUpdate}, reported(c, &ran))
	if diff := cmp.Diff([]string{"a!", "b!"}, ran); diff != "" {
		t.Errorf("steps that ran (-want +got):\n%s", diff)
	}
	if got, want := text(err), "after hook 2, b: panic: nil map"; !strings.HasPrefix(got, want) {
		t.Errorf("got %q, want it to begin with %q", got, want)
	}
	var p *hooks.PanicError
	if !errors.As(err, &p) || !strings.Contains(string(p.Stack), "TestChainPanic") {
		t.Errorf("got %#v, want a *PanicError with the stack of the hook", p)
	}
	if err := c.Finish(t.Context(), 0, hooks.Event{Phase: hooks.After}, hooks.Report{}); errors.Is(err, errBroken) {
		t.Errorf("got %v: the panic of a step that continues must only be reported", err)
	}
}
