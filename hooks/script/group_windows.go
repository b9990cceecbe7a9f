package script

import (
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/windows"
)

// A group is a command and what it started: a job object.
type group struct {
	cmd *exec.Cmd
	job windows.Handle
}

// newGroup prepares cmd, which is to be started next, to be in a job of its own.
func newGroup(cmd *exec.Cmd, _ account) (*group, error) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return nil, err
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.CreationFlags |= windows.CREATE_NEW_PROCESS_GROUP // Ctrl-C is for the daemon alone
	return &group{cmd, job}, nil
}

// started puts the command in the job. What it started before that is not in it.
func (g *group) started() error {
	var err error
	herr := g.cmd.Process.WithHandle(func(handle uintptr) {
		err = windows.AssignProcessToJobObject(g.job, windows.Handle(handle))
	})
	if herr != nil {
		return nil // it has ended
	}
	return err
}

// stop ends the group. Windows has nothing to ask a process without a window or a console of its own.
func (g *group) stop() error { return windows.TerminateJobObject(g.job, 1) }

// end ends what has come into the group since stop.
func (g *group) end(time.Time) { _ = windows.TerminateJobObject(g.job, 1) } // an error means that nothing was left

// close forgets the group, and leaves alone what still runs in it.
func (g *group) close() { _ = windows.CloseHandle(g.job) } // nothing depends on it any more
