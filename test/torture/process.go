package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dropship/dropship/test/torture/trap"
)

// A Process is a dropship on a machine.
type Process struct {
	m        *Machine
	cmd      *exec.Cmd
	progress *Progress
	done     chan struct{} // closed when it has ended
	err      error         // how it ended; after done
}

// A Watch is called for each system call by which the process itself is about to change a file below the machine's
// directory, with the step that the process is in, and decides what becomes of the call. Nil: all go on.
type Watch func(step string, c trap.Call) trap.Verdict

// Command returns what the variant updates with: "agent" or "apply".
func (m *Machine) Command() string {
	if m.Variant.Agent {
		return "agent"
	}
	return "apply"
}

// Start starts dropship with that command.
func (m *Machine) Start(ctx context.Context, command string, watch Watch) (*Process, error) {
	m.mu.Lock()
	number := len(m.alive)
	m.mu.Unlock()
	log, err := os.Create(m.path(fmt.Sprintf("log-%d-%s", number, command)))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p := &Process{m: m, done: make(chan struct{})}
	if p.progress, err = m.follow(log.Name()); err != nil {
		return nil, err
	}
	p.cmd = exec.CommandContext(context.WithoutCancel(ctx), m.round.Binary, command, "--config", m.path("dropship.hcl"), "--log-level", "debug")
	p.cmd.Dir = m.Dir
	p.cmd.Stdout, p.cmd.Stderr = log, log
	wait := p.cmd.Wait
	if judge, calls := p.judge(watch); judge != nil {
		wait, err = trap.Start(p.cmd, calls, judge)
	} else {
		err = p.cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("cannot start dropship: %w", err)
	}
	m.mu.Lock()
	m.alive = append(m.alive, p)
	m.mu.Unlock()
	go func() {
		defer close(p.done)
		p.err = wait()
	}()
	return p, nil
}

// judge returns what decides about the process's system calls, and which are asked for; nil if all go on.
func (p *Process) judge(watch Watch) (trap.Judge, []string) {
	renames := p.m.Variant.Renames
	calls := trap.Changes()
	switch {
	case watch == nil && !renames:
		return nil, nil
	case watch == nil:
		calls = []string{"renameat2"}
		watch = func(string, trap.Call) trap.Verdict { return trap.Verdict{} }
	}
	return func(c trap.Call) trap.Verdict {
		if !c.Own || !p.concerns(c) {
			return trap.Verdict{}
		}
		step, _ := p.progress.Step()
		verdict := watch(step, c)
		if verdict == (trap.Verdict{}) && renames && c.Name == "renameat2" && c.Args[4]&unix.RENAME_EXCHANGE != 0 {
			verdict.Errno = unix.EINVAL
		}
		return verdict
	}, calls
}

// byDescriptor are the calls that name a file by its descriptor alone.
var byDescriptor = []string{"copy_file_range", "fallocate", "fchmod", "fchown", "fdatasync", "fsync", "ftruncate", "pwrite64", "syncfs", "write"}

// concerns reports whether a call changes what is on the machine: neither a pipe, nor what the process logs.
func (p *Process) concerns(c trap.Call) bool {
	if !slices.Contains(byDescriptor, c.Name) {
		return true
	}
	path := c.Path()
	return strings.HasPrefix(path, p.m.Dir+"/") && !strings.HasPrefix(filepath.Base(path), "log-")
}

// Kill is kill -9; it does not wait. Hooks that run go on, as they do on a server.
func (p *Process) Kill() { _ = p.cmd.Process.Kill() }

// Signal sends a signal; a process that has ended is none the worse.
func (p *Process) Signal(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("cannot send %s: %w", s, err)
	}
	return nil
}

// Wait returns the exit code once the process has ended, -1 if it was killed.
func (p *Process) Wait(ctx context.Context) (int, error) {
	select {
	case <-p.done:
		var exit *exec.ExitError
		if p.err != nil && !errors.As(p.err, &exit) {
			return 0, p.err
		}
		return p.cmd.ProcessState.ExitCode(), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("waited in vain for dropship %s to end; its log is %s: %w", p.cmd.Args, p.progress.log, context.Cause(ctx))
	}
}

// Reach waits until the process has come to a step; it may be past it already. False: it has ended before.
func (p *Process) Reach(ctx context.Context, step string) (reached bool, err error) {
	err = p.until(ctx, "step "+step, func() (bool, error) {
		reached, err = p.progress.Been(step)
		return reached, err
	})
	return reached, err
}

// until waits until something is done, or the process has ended.
func (p *Process) until(ctx context.Context, what string, done func() (bool, error)) error {
	tick := time.NewTicker(500 * time.Microsecond)
	defer tick.Stop()
	for {
		if ok, err := done(); err != nil || ok {
			return err
		}
		select {
		case <-tick.C:
		case <-p.done:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("waited in vain for %s: %w; the log:\n%s", what, context.Cause(ctx), p.Log())
		}
	}
}

// Log returns what the process has logged and printed.
func (p *Process) Log() string {
	b, _ := os.ReadFile(p.progress.log)
	return string(b)
}

// Apply runs dropship apply to its end, which must be the newest release.
func (m *Machine) Apply(ctx context.Context) error {
	p, err := m.Start(ctx, "apply", nil)
	if err != nil {
		return err
	}
	code, err := p.Wait(ctx)
	if err != nil {
		return err
	}
	if code != 0 {
		return fmt.Errorf("dropship apply ended with %d:\n%s", code, p.Log())
	}
	return nil
}
