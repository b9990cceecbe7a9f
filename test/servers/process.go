package servers

import (
	"bytes"
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

const (
	pollInterval = 20 * time.Millisecond
	stopGrace    = 30 * time.Second
)

// A process is a server process. Its PID alone does not say who it is, for the kernel gives numbers out again; PID
// and start time together do, until the machine is started anew, and Boot says whether that was so.
type process struct {
	Name      string `json:"name"`
	PID       int    `json:"pid"`
	StartTime string `json:"start_time"` // in clock ticks since boot, as in /proc/PID/stat
	Boot      string `json:"boot"`
	Log       string `json:"log"`

	exited chan struct{} // closed when it ended; nil for a process that another command started
}

// launch starts a process in a session of its own, so that it outlives the command and a ^C at the terminal. What it
// prints goes to log.
func launch(name, log string, env []string, argv ...string) (*process, error) {
	cmd, err := command(log, env, argv...)
	if err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", name, err)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	cmd.Stdout.(*os.File).Close()
	if err != nil {
		return nil, fmt.Errorf("cannot start %s: %w", name, err)
	}
	p := &process{Name: name, PID: cmd.Process.Pid, Log: log, exited: make(chan struct{})}
	_, p.StartTime, err = procStat(p.PID)
	if err == nil {
		p.Boot, err = bootID()
	}
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		close(p.exited)
	}()
	if err != nil {
		_ = cmd.Process.Kill()
		<-p.exited
		return nil, fmt.Errorf("cannot identify the process of %s: %w", name, err)
	}
	return p, nil
}

// command prepares argv with its output appended to log. The caller closes cmd.Stdout after the start.
func command(log string, env []string, argv ...string) (*exec.Cmd, error) {
	if err := os.MkdirAll(filepath.Dir(log), 0o755); err != nil {
		return nil, err
	}
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(argv[0], argv[1:]...) //nolint:noctx // it outlives every context of this command
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = out, out
	return cmd, nil
}

// await polls until ready returns nil. It gives up when ctx is done or the process ends; the error then has ready's
// last one and the end of the log.
func (p *process) await(ctx context.Context, ready func(context.Context) error) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.exited:
			return fmt.Errorf("%s ended while it was starting\n%s", p.Name, logTail(p.Log))
		case <-ctx.Done():
			return fmt.Errorf("%s did not get ready: %w: %w\n%s", p.Name, context.Cause(ctx), err, logTail(p.Log))
		}
	}
}

// alive reports whether the process still runs and is still the one that was started.
func (p *process) alive() bool {
	boot, err := bootID()
	if err != nil || boot != p.Boot {
		return false
	}
	status, start, err := procStat(p.PID)
	return err == nil && start == p.StartTime && status != "Z" && status != "X"
}

// stop ends the process: SIGTERM, and SIGKILL to it and its children when that was not enough. A process that has
// ended already is no error.
func (p *process) stop(ctx context.Context) error {
	// The handle is a pidfd: once alive has said who it is, no signal can reach another process.
	handle, err := os.FindProcess(p.PID)
	if err != nil || !p.alive() {
		return nil
	}
	if err := handle.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("cannot end %s (pid %d): %w", p.Name, p.PID, err)
	}
	if p.gone(ctx, stopGrace) {
		return nil
	}
	// It leads its session, so its group holds its children and nobody else's.
	if err := syscall.Kill(-p.PID, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("cannot kill %s (pid %d): %w", p.Name, p.PID, err)
	}
	if !p.gone(ctx, stopGrace) {
		return fmt.Errorf("cannot end %s (pid %d): it still runs after SIGKILL", p.Name, p.PID)
	}
	return nil
}

// gone waits until the process has ended and reports whether it has.
func (p *process) gone(ctx context.Context, limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for p.alive() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return !p.alive()
		}
	}
	return true
}

// procStat returns the state letter and the start time of a process.
func procStat(pid int) (status, start string, err error) {
	path := fmt.Sprintf("/proc/%d/stat", pid)
	data, err := os.ReadFile(path)
	if err != nil {
		return "", "", err
	}
	// The second field is the program's name in parentheses, and may itself hold blanks and parentheses.
	fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	if len(fields) < 20 {
		return "", "", fmt.Errorf("%s has too few fields", path)
	}
	return string(fields[0]), string(fields[19]), nil
}

func bootID() (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id)), err
}

// logTail returns the last lines of a log, indented, for an error's text.
func logTail(path string) string {
	const lines = 20
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Sprintf("\t(no log: %v)", err)
	}
	all := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	all = all[max(0, len(all)-lines):]
	return fmt.Sprintf("\tlast lines of %s:\n\t%s", path, strings.Join(all, "\n\t"))
}
