//go:build unix

package script

import (
	"context"
	"os"
	"os/exec"
)

// shellCommand has a shell run the line.
func shellCommand(ctx context.Context, line string) *exec.Cmd {
	shell := "/bin/sh"
	if _, err := os.Stat("/bin/bash"); err == nil {
		shell = "/bin/bash"
	}
	return exec.CommandContext(ctx, shell, "-c", line)
}

// outputPipe returns a pipe whose reader can be given a deadline.
func outputPipe() (reader, writer *os.File, err error) { return os.Pipe() }
