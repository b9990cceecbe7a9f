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

// signalGroup signals the process group that cmd leads.
func signalGroup(cmd *exec.Cmd, signal syscall.Signal) error {
	err := syscall.Kill(-cmd.Process.Pid, signal)
	if errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}

// endGroup waits for what is left of a group that was told to end and whose leader is gone, and kills
// what is still there at killAt. It selects on no context: this is how a hook ends after its context did.
func endGroup(cmd *exec.Cmd, killAt time.Time) {
	if awaitGroup(cmd.Process.Pid, killAt) {
		return
	}
	_ = signalGroup(cmd, syscall.SIGKILL) // an error means that the group ended just now
	// A process that hangs in the kernel dies when it comes back from there; nobody can wait for that.
	awaitGroup(cmd.Process.Pid, time.Now().Add(time.Second))
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
