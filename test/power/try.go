package power

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Tell plays a story on a new machine and returns the log of the update in it. Afterwards the machine's disks are
// unmounted. With a neighbour somebody else writes and syncs on the same disks all the time, by which the kernel
// writes its journal at instants that dropship does not choose. It fills in what the story's world was told earlier.
func (m *Machine) Tell(ctx context.Context, s *Story, neighbour bool) (*Log, error) {
	if s.Old.Version != "" {
		if err := m.want(ctx, s.Old, 0); err != nil {
			return nil, err
		}
	}
	if m.o.Persist {
		if err := m.use(s.Old.kept); err != nil {
			return nil, err
		}
	}
	if s.Interrupted {
		if err := m.Interrupt(ctx, s); err != nil {
			return nil, err
		}
	}
	if err := m.Record(ctx); err != nil {
		return nil, err
	}
	stop := func() error { return nil }
	if neighbour {
		stop = m.neighbour(ctx)
	}
	code := 0
	if s.Broken {
		code = 1
	}
	err := m.want(ctx, s.New, code)
	if err == nil && !s.Broken {
		m.Recorder.Tell("done")
	}
	err = errors.Join(err, stop())
	l := m.Recorder.Stop()
	if err != nil {
		return nil, err
	}
	_, err = m.Look(*s, l.events())
	return l, errors.Join(err, m.Unmount(ctx))
}

// Interrupt kills dropship in the after chain of an update to the story's new release. The power stays on.
func (m *Machine) Interrupt(ctx context.Context, s *Story) error {
	m.Recorder.TakeEvents()
	begun := m.Recorder.Await("after start")
	if err := m.Publish(s.New); err != nil {
		return err
	}
	run := m.Command(ctx)
	run.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := run.Start(); err != nil {
		return err
	}
	select {
	case <-begun:
	case <-ctx.Done():
	}
	err := gone(unix.Kill(-run.Process.Pid, unix.SIGKILL))
	_ = run.Wait() // it was killed, or had ended
	s.Earlier = m.Recorder.TakeEvents()
	return err
}

// want publishes a release and wants apply to end with that exit code.
func (m *Machine) want(ctx context.Context, r Release, want int) error {
	if err := m.Publish(r); err != nil {
		return err
	}
	code, out, err := m.Apply(ctx)
	if err == nil && code != want {
		err = fmt.Errorf("with %s in the repository apply ends with %d, not %d\n%s", r.Version, code, want, out)
	}
	return err
}

// neighbour writes and syncs a file on each disk again and again, until stop is called.
func (m *Machine) neighbour(ctx context.Context) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				ended <- nil
				return
			case <-tick.C:
			}
			for _, v := range m.volumes {
				if err := writeSynced(filepath.Join(v.dir, "neighbour")); err != nil {
					ended <- err
					return
				}
			}
		}
	}()
	return func() error {
		cancel()
		return <-ended
	}
}

func writeSynced(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = f.WriteString(time.Now().String())
	return errors.Join(err, f.Sync(), f.Close())
}

// Try looks at what a cut leaves, and with restart at what dropship makes of it. It returns what was at the
// destination; the error is what was promised and is not there.
func (m *Machine) Try(ctx context.Context, l *Log, s Story, c Cut, rnd *rand.Rand, restart bool) (seen Release, err error) {
	err = m.AfterCut(ctx, l, c, rnd, func() error {
		if seen, err = m.Look(s, c.Events); err != nil || !restart {
			return err
		}
		return m.Restart(ctx, s, c.Events)
	})
	return seen, err
}

// AfterCut mounts what a cut leaves of the disks, calls look, and puts the machine's own disks back, unmounted.
func (m *Machine) AfterCut(ctx context.Context, l *Log, c Cut, rnd *rand.Rand, look func() error) error {
	m.log.Reset()
	m.Recorder.TakeEvents()
	own := make([]*Disk, len(m.volumes))
	for i, v := range m.volumes {
		own[i] = v.disk
		v.disk = l.After(own[i], c, rnd)
	}
	defer func() {
		for i, v := range m.volumes {
			v.disk.Remove()
			v.disk = own[i]
		}
	}()
	err := m.Mount()
	if err == nil {
		err = look()
	}
	err = errors.Join(err, m.Unmount(context.WithoutCancel(ctx)))
	if err != nil {
		return fmt.Errorf("power cut after entry %d of %d, %s, events %q: %w\n%s", c.At, len(l.entries), c.Lost, c.Events, err, &m.log)
	}
	return nil
}
