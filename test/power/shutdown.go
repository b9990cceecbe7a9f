package power

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// ShutDownIn has dropship bring the machine from the story's old release to its new one, and cuts the power that long
// after the first event that begins with `after` (or after its start, if that is empty): dropship is killed, and the
// file systems are shut down, all of them as they were at that instant. Then the power comes back, and all that is
// promised is checked, until the newest good release is there. The error is what was promised and is not there. It
// returns what was at the destination when the power came back.
//
// The machine's disks are mounted, before and after.
func (m *Machine) ShutDownIn(ctx context.Context, s Story, after string, delay time.Duration) (Release, error) {
	m.log.Reset()
	seen, err := m.shutDownIn(ctx, s, after, delay)
	if err != nil {
		return seen, fmt.Errorf("file systems shut down %s after event %q: %w\n%s", delay, after, err, &m.log)
	}
	return seen, nil
}

func (m *Machine) shutDownIn(ctx context.Context, s Story, after string, delay time.Duration) (Release, error) {
	if err := m.begin(ctx, s); err != nil {
		return Release{}, err
	}
	if s.Interrupted {
		if err := m.Interrupt(ctx, &s); err != nil {
			return Release{}, err
		}
	}
	m.Recorder.TakeEvents()
	begun := m.Recorder.Await(after)
	if err := m.Publish(s.New); err != nil {
		return Release{}, err
	}
	run := m.Command(ctx)
	run.Stdout, run.Stderr = &m.log, &m.log
	run.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	run.WaitDelay = time.Second // for what a hook has left running
	if err := run.Start(); err != nil {
		return Release{}, err
	}
	ended := make(chan error, 1)
	go func() { ended <- run.Wait() }()

	done, wait := false, time.NewTimer(time.Hour)
	defer wait.Stop()
	if after == "" {
		wait.Reset(delay)
	}
	for cut := false; !cut && !done; {
		select {
		case <-begun:
			begun = nil
			wait.Reset(delay)
		case err := <-ended:
			if done = true; err == nil {
				m.Recorder.Tell("done")
			}
		case <-wait.C:
			cut = true
		case <-ctx.Done():
			cut = true
		}
	}
	if !done {
		if err := gone(unix.Kill(-run.Process.Pid, unix.SIGKILL)); err != nil {
			return Release{}, err
		}
		if err := <-ended; err == nil {
			m.Recorder.Tell("done")
		}
	}
	told := m.Recorder.TakeEvents()
	var errs []error
	for _, v := range m.volumes {
		errs = append(errs, Shutdown(v.dir))
	}
	errs = append(errs, m.Unmount(ctx), m.Mount())
	if err := errors.Join(errs...); err != nil {
		return Release{}, err
	}
	seen, err := m.Look(s, told)
	if err != nil {
		return seen, err
	}
	return seen, m.Restart(ctx, s, told)
}

// begin brings the machine to the story's old release, undisturbed.
func (m *Machine) begin(ctx context.Context, s Story) error {
	if len(s.Earlier) > 0 || s.Old.Version == "" || s.Old.At(m.Destination()) == nil {
		return nil
	}
	return m.want(ctx, s.Old, 0)
}

// gone makes nothing of the end of a process that came first.
func gone(err error) error {
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}
