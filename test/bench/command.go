package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"time"
)

// A usage is what a process took, with the children that it waited for.
type usage struct {
	wall time.Duration
	cpu  time.Duration // user and system
	said string        // on standard output and standard error
}

// command runs a program to its end. The error of one that fails holds what it printed.
func command(ctx context.Context, dir, name string, args ...string) (usage, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var out bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &out
	start := time.Now()
	err := cmd.Run()
	u := usage{wall: time.Since(start)}
	if err != nil {
		return u, fmt.Errorf("%s: %w: %s", cmd, err, bytes.TrimSpace(out.Bytes()))
	}
	u.cpu, u.said = cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime(), out.String()
	return u, nil
}

// shell runs a line of bash, in which a failure of any part of a pipe is one of the whole.
func shell(ctx context.Context, dir, line string) (usage, error) {
	return command(ctx, dir, "bash", "-euo", "pipefail", "-c", line)
}
