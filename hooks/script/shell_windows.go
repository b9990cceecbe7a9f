package script

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/windows"
)

// shellCommand has cmd.exe run the line, as it is: cmd.exe knows nothing of the quoting that programs agree on.
func shellCommand(ctx context.Context, line string) *exec.Cmd {
	shell := os.Getenv("ComSpec")
	if shell == "" {
		shell = "cmd.exe"
	}
	cmd := exec.CommandContext(ctx, shell)
	cmd.SysProcAttr = &syscall.SysProcAttr{CmdLine: `cmd.exe /d /s /c "` + line + `"`}
	return cmd
}

var pipes atomic.Uint64

// outputPipe returns a pipe whose reader can be given a deadline. Only a named pipe can: that of os.Pipe is read
// synchronously.
func outputPipe() (reader, writer *os.File, err error) {
	path := fmt.Sprintf(`\\.\pipe\dropship-%d-%d`, os.Getpid(), pipes.Add(1))
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return nil, nil, err
	}
	const (
		open = windows.PIPE_ACCESS_INBOUND | windows.FILE_FLAG_OVERLAPPED | windows.FILE_FLAG_FIRST_PIPE_INSTANCE
		mode = windows.PIPE_TYPE_BYTE | windows.PIPE_REJECT_REMOTE_CLIENTS
		size = 64 << 10
	)
	handle, err := windows.CreateNamedPipe(name, open, mode, 1, 0, size, 0, nil)
	if err != nil {
		return nil, nil, &os.PathError{Op: "CreateNamedPipe", Path: path, Err: err}
	}
	reader = os.NewFile(uintptr(handle), path)
	writer, err = os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		reader.Close()
		return nil, nil, err
	}
	return reader, writer, nil
}
