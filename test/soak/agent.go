package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/dropship/dropship/dropship/api"
)

// An agent is the process that soaks.
type agent struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended, and all of its log was read
	err  error         // how it ended; after done
}

// startAgent starts it. Each line of its log is kept in a file, and handed to heed.
func startAgent(binary, config, log string, heed func(line)) (*agent, error) {
	f, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	a := &agent{cmd: exec.Command(binary, "agent", "--config", config, "--log-format", "json"), done: make(chan struct{})} //nolint:noctx // ends with stop
	a.cmd.Dir = "/"
	a.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8"} // as under systemd: what else is set here changes what it does
	read, write, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	a.cmd.Stdout, a.cmd.Stderr = f, write
	err = a.cmd.Start()
	write.Close()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot start the agent: %w", err), read.Close(), f.Close())
	}
	go func() {
		defer close(a.done)
		rerr := readLog(io.TeeReader(read, f), heed)
		a.err = errors.Join(a.cmd.Wait(), rerr, read.Close(), f.Close())
	}()
	return a, nil
}

// A line is one of the agent's log.
type line struct {
	Time    time.Time `json:"time"`
	Level   string    `json:"level"`
	Msg     string    `json:"msg"`
	Service string    `json:"service"`
	text    string
	crash   bool // it is no line of a log
}

func (l line) trouble() bool { return l.crash || l.Level == "WARN" || l.Level == "ERROR" }

// torn reports whether a download was taken up again, and no more. versitygw may answer a check that is made while an
// object is replaced with the new object's ETag and the old one's size, so that the body ends early, or goes on.
func (l line) torn() bool { return l.Level == "WARN" && l.Msg == "resuming the download" }

func readLog(r io.Reader, heed func(line)) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		l := line{text: lines.Text()}
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			l.crash = true
		}
		heed(l)
	}
	return lines.Err()
}

// answers waits until it does.
func (a *agent) answers(ctx context.Context, client *api.Client) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := client.Agent(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-a.done:
			return fmt.Errorf("the agent has ended: %w", a.err)
		case <-ctx.Done():
			return fmt.Errorf("the agent does not answer: %w: %w", context.Cause(ctx), err)
		}
	}
}

func (a *agent) pid() int { return a.cmd.Process.Pid }

func (a *agent) reload() error { return a.cmd.Process.Signal(syscall.SIGHUP) }

// stop ends it as a service manager does, and returns an error unless it ends as it should.
func (a *agent) stop(patience time.Duration) error {
	if err := a.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-a.done:
	case <-timer.C:
		_ = a.cmd.Process.Kill()
		<-a.done
		return fmt.Errorf("the agent did not end within %s of SIGTERM", patience)
	}
	if a.err != nil {
		return fmt.Errorf("the agent ended with an error: %w", a.err)
	}
	return nil
}

// command runs a command of the CLI on the agent, as a person would.
func (s *soak) command(ctx context.Context, args ...string) (stdout []byte, err error) {
	cmd := exec.CommandContext(ctx, s.binary, append(args, "--config", s.config())...)
	if stdout, err = cmd.Output(); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		return nil, fmt.Errorf("dropship %q: %w", args, err)
	}
	return stdout, nil
}
