package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// patience is how long something may take that should happen at once.
const patience = time.Minute

// startTerminals starts tmux, as on a machine with that name, and in it a session with a first window.
func startTerminals(ctx context.Context) error {
	config := "set -g status off\nset -g default-terminal screen-256color\nset -g remain-on-exit off\n"
	if err := os.WriteFile(filepath.Join(dir, "tmux.conf"), []byte(config), 0o644); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "sh", "-c", "hostname "+hostname+" && exec tmux -S "+dir+"/tmux -f "+dir+"/tmux.conf new-session -d -x 80 -y 24 'exec sleep 1000'")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUTS}
	cmd.Env = environment()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot start tmux (it needs root): %w: %s", err, out)
	}
	return nil
}

// environment has who is at the keyboard, and the wrapper that knows the configuration. A window has its PATH from the
// one who opens it.
func environment() []string {
	return append(os.Environ(), "PATH="+dir+"/bin:"+os.Getenv("PATH"), "SUDO_USER=rita", "TZ=UTC", "LC_ALL=C.UTF-8")
}

func tmux(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "tmux", append([]string{"-S", filepath.Join(dir, "tmux")}, args...)...)
	cmd.Env = environment()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("tmux %q: %w: %s", args, err, out)
	}
	return string(out), nil
}

func endTerminals() error {
	_, err := tmux(context.Background(), "kill-server")
	return err
}

// A window is a terminal of 80 by 24 in which one command runs.
type window struct {
	ctx  context.Context
	name string
}

func open(ctx context.Context, name, command string) (window, error) {
	_, err := tmux(ctx, "new-window", "-d", "-n", name, "cd "+dir+"; "+command)
	return window{ctx, name}, err
}

// screen returns what a person sees.
func (w window) screen() (string, error) {
	text, err := tmux(w.ctx, "capture-pane", "-p", "-t", w.name)
	return strings.Trim(text, "\n"), err
}

// when returns the first screen that has that on it.
func (w window) when(parts ...string) (string, error) {
	var text string
	err := until(w.ctx, strings.Join(parts, ", "), func() (ok bool, err error) {
		text, err = w.screen()
		for _, part := range parts {
			if !strings.Contains(text, part) {
				return false, err
			}
		}
		return true, err
	})
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, text)
	}
	return text, err
}

// until polls, and gives up in the end.
func until(ctx context.Context, what string, ok func() (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("nothing within "+patience.String()))
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if done, err := ok(); done || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("cannot wait any longer for %q: %w", what, context.Cause(ctx))
		}
	}
}

// end marks that a command has written all.
const end = "the command is through"

// run runs a command line in a window of its own, and returns what is on the screen in the end.
func run(ctx context.Context, name, line string) (string, error) {
	w, err := open(ctx, name, fmt.Sprintf("printf '$ %%s\\n' '%s'; %s; echo '%s'; exec sleep 1000", line, line, end))
	if err != nil {
		return "", err
	}
	text, err := w.when(end)
	return strings.TrimRight(strings.TrimSuffix(text, end), "\n"), err
}
