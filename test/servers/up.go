package servers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// startLimit is how long all servers together may take to get ready.
const startLimit = 2 * time.Minute

// managementToken is the ACL token of [Set.ConsulACL]. It opens nothing but a server on loopback.
const managementToken = "11111111-1111-1111-1111-111111111111"

// up is one start of the set.
type up struct {
	dir   string
	tools Tools

	mu        sync.Mutex
	processes []*process
}

// Up starts the set, keeping its files below dir, and returns once every server is ready. Where a set is up already
// it returns that one and started is false; one that is incomplete, or was started from other tools, is ended first.
// On an error nothing is left running; the error has the last lines of the
// failed server's log.
func Up(ctx context.Context, dir string, tools Tools) (set Set, started bool, err error) {
	unlock, err := lockDir(dir)
	if err != nil {
		return Set{}, false, err
	}
	defer unlock()

	if tools, err = tools.resolve(); err != nil {
		return Set{}, false, err
	}
	old, err := readState(statePath(dir))
	switch {
	case err == nil && len(old.dead()) == 0 && old.Tools == tools:
		return old.Set, false, nil
	case err == nil:
		if err := old.stop(ctx); err != nil {
			return Set{}, false, err
		}
	case !errors.Is(err, os.ErrNotExist):
		return Set{}, false, err
	}
	for _, name := range folders {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			return Set{}, false, fmt.Errorf("cannot clear the last run's files: %w", err)
		}
	}

	u := &up{dir: dir, tools: tools}
	s := &state{Tools: tools}
	s.Set, err = u.start(ctx)
	s.Processes = u.processes
	if err == nil {
		err = s.write(statePath(dir))
	}
	if err != nil {
		// The context may be what ended the start; the processes are ended in any case.
		return Set{}, false, errors.Join(err, s.stop(context.WithoutCancel(ctx)))
	}
	return s.Set, true, nil
}

// folders are what a set keeps in its directory besides the state file.
var folders = []string{"consul", "consul-acl", "s3", "swift", "graphite", "log"}

func (u *up) start(ctx context.Context) (Set, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("not ready after %s", startLimit))
	defer cancel()

	p, err := reservePorts(2*consulPorts + s3Ports + swiftPorts + graphitePorts)
	if err != nil {
		return Set{}, err
	}
	defer p.release()

	var set Set
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		set.Consul, err = u.startConsul(ctx, newConsulConfig("consul", p))
		return err
	})
	group.Go(func() (err error) {
		acl := newConsulConfig("consul-acl", p)
		acl.Token = managementToken
		set.ConsulACL, err = u.startConsul(ctx, acl)
		return err
	})
	group.Go(func() (err error) {
		set.S3, err = u.startS3(ctx, p)
		return err
	})
	group.Go(func() (err error) {
		set.Swift, set.SwiftS3, err = u.startSwift(ctx, p)
		return err
	})
	group.Go(func() (err error) {
		set.Graphite, err = u.startGraphite(ctx, p)
		return err
	})
	err = group.Wait()
	return set, err
}

// launch starts one process of the set. Its log is DIR/log/NAME.log.
func (u *up) launch(name string, env []string, argv ...string) (*process, error) {
	p, err := launch(name, filepath.Join(u.dir, "log", name+".log"), env, argv...)
	if err != nil {
		return nil, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.processes = append(u.processes, p)
	return p, nil
}

// Down ends the set that [Up] started below dir: exactly its processes, waiting until they are gone. The logs stay
// until the next Up. No set being up is no error.
func Down(ctx context.Context, dir string) error {
	unlock, err := lockDir(dir)
	if err != nil {
		return err
	}
	defer unlock()
	s, err := readState(statePath(dir))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.stop(ctx); err != nil {
		return err
	}
	if err := os.Remove(statePath(dir)); err != nil {
		return fmt.Errorf("cannot remove the state of the test servers: %w", err)
	}
	return nil
}

// stop ends all processes at once.
func (s *state) stop(ctx context.Context) error {
	var group sync.WaitGroup
	errs := make([]error, len(s.Processes))
	for i, p := range s.Processes {
		group.Go(func() { errs[i] = p.stop(ctx) })
	}
	group.Wait()
	return errors.Join(errs...)
}

// lockDir makes dir and keeps another Up or Down out of it until unlock is called.
func lockDir(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("cannot make the directory of the test servers: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot lock %s: %w", dir, err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		lock.Close()
		return nil, fmt.Errorf("cannot lock %s: %w", dir, err)
	}
	return func() { lock.Close() }, nil
}

// Status describes the set below dir: the one that is up, and otherwise why none is.
func Status(dir string) (Set, error) {
	s, err := liveState(statePath(dir))
	if err != nil {
		return Set{}, err
	}
	return s.Set, nil
}
