package script_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/script"
)

// A process that a successful command leaves behind, holding its output, neither holds up the hook nor is killed.
func TestBackgroundProcessThatHoldsTheOutput(t *testing.T) {
	t.Parallel()
	pidFile := filepath.Join(t.TempDir(), "pid")
	h := newHook(t, command("sleep 300 &\necho $! > "+pidFile))
	start := time.Now()
	err := h.Run(t.Context(), hooks.Event{})
	took := time.Since(start)
	pid := readPID(t, pidFile)
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	if err != nil {
		t.Error(err)
	}
	if limit := time.Minute; took > limit {
		t.Errorf("took %s, want at most %s", took, limit)
	}
	if !running(pid) {
		t.Error("the background process was killed")
	}
}

// A grandchild that holds the output of a command that failed does not hide the failure.
func TestBackgroundProcessOfAFailure(t *testing.T) {
	t.Parallel()
	pidFile := filepath.Join(t.TempDir(), "pid")
	err := newHook(t, command("sleep 300 &\necho $! > "+pidFile+"\necho no; exit 4")).Run(t.Context(), hooks.Event{})
	pid := readPID(t, pidFile)
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	if got, want := fmt.Sprint(err), `command failed: exit status 4; its last output: "no"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestCancelEndsTheWholeGroup(t *testing.T) {
	t.Parallel()
	pidFile := filepath.Join(t.TempDir(), "pid")
	h := newHook(t, command("sleep 300 &\necho $! > "+pidFile+"\nwait"))
	script.SetGrace(h, time.Hour) // everything obeys SIGTERM
	ctx, pid := cancelOnce(t, pidFile)
	err := h.Run(ctx, hooks.Event{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if got, want := fmt.Sprint(err), "command stopped (signal: terminated): context canceled"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if running(<-pid) {
		t.Error("the child was left running")
	}
}

func TestCancelKillsWhatIgnoresSIGTERM(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, script, want string }{
		{"the command", "trap '' TERM; echo $$ > %s; while :; do sleep 0.1; done", "signal: killed"},
		{"its child", "sh -c 'trap \"\" TERM; echo $$ > %s; exec sleep 300' & wait", "signal: terminated"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			pidFile := filepath.Join(t.TempDir(), "pid")
			h := newHook(t, command(fmt.Sprintf(tt.script, pidFile)))
			const grace = 2 * time.Second // for the shell to die of SIGTERM before
			script.SetGrace(h, grace)
			ctx, pid := cancelOnce(t, pidFile)
			err := h.Run(ctx, hooks.Event{})
			if !errors.Is(err, context.Canceled) || !strings.Contains(fmt.Sprint(err), tt.want) {
				t.Errorf("got %v, want context.Canceled and %q", err, tt.want)
			}
			// A hook waits no longer than a second for what it has killed, which may be slow to die on a busy machine.
			killed := <-pid
			within(t, "the end of the process", func() bool { return !running(killed) })
		})
	}
}

// What needs a moment to clean up after SIGTERM gets it, also when the command itself is gone at once.
func TestCancelGivesChildrenTheGrace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pidFile, cleaned := filepath.Join(dir, "pid"), filepath.Join(dir, "cleaned")
	h := newHook(t, command(fmt.Sprintf(
		"bash -c 'trap \"sleep 0.8; echo yes > %s; exit\" TERM; echo $$ > %s; while :; do sleep 0.05; done' >/dev/null 2>&1 & wait", cleaned, pidFile,
	)))
	script.SetGrace(h, time.Minute)
	ctx, _ := cancelOnce(t, pidFile)
	if err := h.Run(ctx, hooks.Event{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if got, want := read(t, cleaned), "yes\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A command that takes SIGTERM as a reason to exit with 0 was stopped all the same.
func TestCancelOfACommandThatExitsWithZero(t *testing.T) {
	t.Parallel()
	pidFile := filepath.Join(t.TempDir(), "pid")
	h := newHook(t, command("trap 'exit 0' TERM; echo $$ > "+pidFile+"; while :; do sleep 0.05; done"))
	ctx, _ := cancelOnce(t, pidFile)
	if err := h.Run(ctx, hooks.Event{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}
