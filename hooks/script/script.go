// Package script is the hook that runs a command: stop the application, start it, migrate, warm up.
//
//	before "script" { command = "systemctl stop my-service" }
//	after "script" {
//	  command = ["/srv/my-service/bin/migrate", "--to", "latest"]
//	  user    = "my-service"
//	  env     = { DATABASE_URL = env("DATABASE_URL") }
//	}
//
// The command's working directory is the service's destination, or, if that is a plain file, the folder
// it is in; "/" if there is neither. Its input is empty. It succeeds by exiting with 0. Its output is
// logged line by line while it runs, the first 1,000 lines or 64 KiB of it; the last lines are in the error.
//
// The environment is not the daemon's, which may hold credentials (AWS_SECRET_ACCESS_KEY,
// CONSUL_HTTP_TOKEN) and what is meant for the daemon alone (NOTIFY_SOCKET): it is PATH, HOME, USER, LOGNAME,
// LANG, LC_ALL, TZ and TMPDIR, then env of the file, then the update's data as DROPSHIP_NAME and so on.
//
// The command leads a process group of its own. When its time is up, or the update ends, the group gets
// SIGTERM, and what is left of it after 5 seconds SIGKILL. What the command leaves running in the
// background when it exits by itself lives on, whether it holds the command's output or not; but nobody
// reads that any more, and writing to it fails. So a daemon started this way should redirect its output;
// better still, let systemd start it.
//
// On Windows the shell is cmd.exe, the command is in a job object, which is ended without a word, what it started
// included, and there is no user; docs/platforms.md has the rest.
//
// Where the agent is killed (SIGKILL), on Linux the command is killed with it, so that it does not get in the way of
// the recovery; but not what the command has started.
package script

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/dropship/dropship/hooks"
)

const (
	defaultGrace = 5 * time.Second
	// drain is how long output may still come after the command itself has exited; whoever holds the
	// pipe for longer is a process that is meant to stay.
	drain = 500 * time.Millisecond
)

// A command is what the file says: shell or argv.
type command struct {
	shell string
	argv  []string
}

// cmd returns the command, not started yet.
func (c command) cmd(ctx context.Context) *exec.Cmd {
	if c.argv == nil {
		return shellCommand(ctx, c.shell)
	}
	return exec.CommandContext(ctx, c.argv[0], c.argv[1:]...)
}

func (c command) String() string {
	if c.argv == nil {
		return c.shell
	}
	words := make([]string, len(c.argv))
	for i, word := range c.argv {
		words[i] = word
		if word == "" || strings.ContainsAny(word, " \t\n\"'\\$") {
			words[i] = strconv.Quote(word)
		}
	}
	return strings.Join(words, " ")
}

// Hook runs a command.
type Hook struct {
	name    string
	command command
	env     []string
	user    string
	grace   time.Duration // what a process group has after SIGTERM, until SIGKILL
	logger  *slog.Logger
}

var (
	_ hooks.Hook  = (*Hook)(nil)
	_ hooks.Ready = (*Hook)(nil)
)

// String returns "script: " and the first line of the command, or the place of the command in its file
// where the command is an expression.
func (h *Hook) String() string { return h.name }

// Ready returns an error if the command is to run as another user, and the daemon does not run as root.
func (h *Hook) Ready() error { return mayBecome(h.user) }

// Run runs the command once, and returns nil if it exits with 0. The error carries an *exec.ExitError if
// the command ran, and the end of its output.
func (h *Hook) Run(ctx context.Context, ev hooks.Event) error {
	if ctx.Err() != nil {
		return fmt.Errorf("command not started: %w", context.Cause(ctx))
	}
	account, err := accountOf(h.user)
	if err != nil {
		return err
	}
	cmd := h.command.cmd(ctx)
	cmd.Dir = workingDir(ev.Destination)
	cmd.Env = append(append(account.environ(), h.env...), ev.Environ()...)
	group, err := newGroup(cmd, account)
	if err != nil {
		return fmt.Errorf("cannot start %s: %w", cmd.Path, err)
	}
	defer group.close()
	out := &output{logger: h.logger.With("service", ev.Name, "hook", h.name, "update_id", ev.UpdateID)}
	if err := h.run(ctx, cmd, group, out); err != nil {
		return h.explain(ctx, err, cmd, out)
	}
	return nil
}

// run starts cmd, has its output read, and returns when it, and after a cancellation its whole group, is gone.
func (h *Hook) run(ctx context.Context, cmd *exec.Cmd, group *group, out *output) error {
	// The thread that starts the command must last as long as it: see dieWithAgent.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var killAt time.Time // set by Cancel, which Wait waits for
	cmd.Cancel = func() error {
		killAt = time.Now().Add(h.grace)
		return group.stop()
	}
	cmd.WaitDelay = h.grace

	// The pipes are our own, and not those of exec, which would give a process that holds them no less
	// time than WaitDelay gives one that is to end.
	stdout, stderr, err := openPipes(cmd)
	if err != nil {
		return err
	}
	defer closeFiles(stdout, stderr)
	err = cmd.Start()
	closeFiles(cmd.Stdout.(*os.File), cmd.Stderr.(*os.File)) // the command has its own copies
	if err != nil {
		return err
	}
	if err := group.started(); err != nil {
		return errors.Join(err, cmd.Process.Kill(), cmd.Wait())
	}
	var readers sync.WaitGroup
	readers.Go(func() { out.read(ctx, stdout, "stdout") })
	readers.Go(func() { out.read(ctx, stderr, "stderr") })

	err = cmd.Wait()
	if !killAt.IsZero() {
		group.end(killAt)
	}
	limit := time.Now().Add(drain)
	err = errors.Join(err, stdout.SetReadDeadline(limit), stderr.SetReadDeadline(limit))
	readers.Wait()
	out.logRest(ctx)
	return err
}

func openPipes(cmd *exec.Cmd) (stdout, stderr *os.File, err error) {
	stdout, stdoutWriter, err := outputPipe()
	if err != nil {
		return nil, nil, fmt.Errorf("cannot make a pipe for the command's output: %w", err)
	}
	stderr, stderrWriter, err := outputPipe()
	if err != nil {
		closeFiles(stdout, stdoutWriter)
		return nil, nil, fmt.Errorf("cannot make a pipe for the command's output: %w", err)
	}
	cmd.Stdout, cmd.Stderr = stdoutWriter, stderrWriter
	return stdout, stderr, nil
}

func closeFiles(files ...*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// explain says what went wrong, with the end of what the command printed.
func (h *Hook) explain(ctx context.Context, err error, cmd *exec.Cmd, out *output) error {
	switch {
	case cmd.ProcessState == nil && ctx.Err() != nil:
		return fmt.Errorf("command not started: %w", context.Cause(ctx))
	case cmd.ProcessState == nil:
		as := ""
		if h.user != "" {
			as = " as user " + h.user
		}
		return fmt.Errorf("cannot start %s%s in %s: %w", cmd.Path, as, cmd.Dir, err)
	case ctx.Err() != nil:
		err = fmt.Errorf("command stopped (%s): %w", cmd.ProcessState, context.Cause(ctx))
	default:
		err = fmt.Errorf("command failed: %w", err)
	}
	if tail := out.tail(); tail != "" {
		err = fmt.Errorf("%w; its last output: %q", err, tail)
	}
	return err
}

// workingDir is the destination, or the folder of a destination that is a file, or "/".
func workingDir(destination string) string {
	if destination == "" {
		return "/"
	}
	info, err := os.Stat(destination)
	switch {
	case err != nil:
		return "/"
	case info.IsDir():
		return destination
	default:
		return filepath.Dir(destination)
	}
}
