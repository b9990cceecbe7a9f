package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// An agent is a dropship agent that runs.
type agent struct {
	cmd     *exec.Cmd
	started time.Time
	log     bytes.Buffer
}

// startAgent starts one with a configuration.
func startAgent(ctx context.Context, dropship, config string) (*agent, error) {
	a := &agent{cmd: exec.CommandContext(ctx, dropship, "agent", "--config", config)}
	a.cmd.Stderr = &a.log
	a.started = time.Now()
	if err := a.cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start an agent: %w", err)
	}
	return a, nil
}

// stop ends the agent, which must have had no trouble.
func (a *agent) stop() error {
	err := a.cmd.Process.Signal(syscall.SIGTERM)
	err = errors.Join(err, a.cmd.Wait())
	if err == nil && bytes.Contains(a.log.Bytes(), []byte("level=ERROR")) {
		err = errors.New("it logged errors")
	}
	if err != nil {
		log := a.log.Bytes()
		return fmt.Errorf("the agent had trouble: %w: %s", err, log[max(0, len(log)-2000):])
	}
	return nil
}

// userHZ is how many ticks of the kernel's accounting are a second, in all that it tells programs.
const userHZ = 100

// cpu returns how long the agent has computed, user and system.
func (a *agent) cpu() (time.Duration, error) { return cpuOf(a.cmd.Process.Pid) }

// cpuOf returns how long a process has computed, user and system.
func cpuOf(pid int) (time.Duration, error) {
	name := fmt.Sprintf("/proc/%d/stat", pid)
	data, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(data), ") ") // the name of the program, which could have anything in it
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("cannot understand %s: %q", name, data)
	}
	user, uerr := strconv.Atoi(fields[11])
	system, serr := strconv.Atoi(fields[12])
	return time.Duration(user+system) * time.Second / userHZ, errors.Join(uerr, serr)
}

// memory returns how much of the agent is in memory, in bytes.
func (a *agent) memory() (float64, error) {
	name := fmt.Sprintf("/proc/%d/statm", a.cmd.Process.Pid)
	data, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(data))
	if len(fields) < 2 {
		return 0, fmt.Errorf("cannot understand %s: %q", name, data)
	}
	pages, err := strconv.Atoi(fields[1])
	return float64(pages * os.Getpagesize()), err
}
