//go:build unix

package script

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A group is a command and what it started: a process group that the command leads.
type group struct{ cmd *exec.Cmd }

// newGroup prepares cmd, which is to be started next, to run as that account and to lead a group.
func newGroup(cmd *exec.Cmd, a account) (*group, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: a.credential}
	dieWithAgent(cmd.SysProcAttr)
	return &group{cmd}, nil
}

// started completes the group after the start of the command.
func (g *group) started() error { return nil }

// stop asks the group to end.
func (g *group) stop() error { return g.signal(syscall.SIGTERM) }

// end waits for what is left of a group that was asked to end and whose leader is gone, and kills
// what is still there at killAt. It selects on no context: this is how a hook ends after its context did.
func (g *group) end(killAt time.Time) {
	if awaitGroup(g.cmd.Process.Pid, killAt) {
		return
	}
	_ = g.signal(syscall.SIGKILL) // an error means that the group ended just now
	// A process that hangs in the kernel dies when it comes back from there; nobody can wait for that.
	awaitGroup(g.cmd.Process.Pid, time.Now().Add(time.Second))
}

// close forgets the group, and leaves alone what still runs in it.
func (g *group) close() {}

func (g *group) signal(signal syscall.Signal) error {
	err := syscall.Kill(-g.cmd.Process.Pid, signal)
	if errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}

// awaitGroup reports whether the group is gone before limit.
func awaitGroup(group int, limit time.Time) bool {
	for groupLives(group) {
		if time.Now().After(limit) {
			return false
		}
		time.Sleep(10 * time.Millisecond)
	}
	return true
}

// groupLives reports whether a process of the group still runs. The kernel counts zombies as well, and the
// init of a container may take seconds to reap those it inherits, or never do it.
func groupLives(group int) bool {
	if syscall.Kill(-group, 0) != nil {
		return false
	}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(stats) == 0 {
		return true // no way to tell
	}
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // ended just now
		}
		// pid (name) state ppid pgrp …, where the name may have anything in it
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if len(fields) > 2 && fields[2] == strconv.Itoa(group) && fields[0] != "Z" && fields[0] != "X" {
			return true
		}
	}
	return false
}
