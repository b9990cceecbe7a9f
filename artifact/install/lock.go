package install

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// ErrBusy means that somebody else holds the Lock of a destination.
var ErrBusy = errors.New("another process is installing to this destination")

// Lock makes the caller the only one that works on the destination, whatever service it is for and wherever that
// keeps its state, until unlock is called or the process ends. It does not wait: the error is ErrBusy while
// another process, or another Lock of this one, holds it. unlock may be called more than once.
//
// The lock is the kernel's (flock; LockFileEx on Windows) on a file in the folder. Where that is missing Lock makes
// it, and the parent directories, once Ready finds nothing against it. The file stays: were it removed, two processes
// could lock two files of that name. On a network file system the lock is as good as the file system's.
func (s *Site) Lock() (unlock func(), err error) {
	unlock, err = s.lock()
	if err != nil {
		return nil, fmt.Errorf("cannot lock %s: %w", s.o.Destination, s.explain(err))
	}
	return unlock, nil
}

func (s *Site) lock() (unlock func(), err error) {
	d, err := s.open()
	if errors.Is(err, fs.ErrNotExist) {
		if err := s.ready(); err != nil {
			return nil, err
		}
		d, err = s.create()
	}
	if err != nil {
		return nil, err
	}
	defer d.close()
	f, err := d.openLock()
	if err != nil {
		return nil, err
	}
	if err := flock(f); err != nil {
		f.Close()
		return nil, err
	}
	return func() {
		// Closing alone would not do: a child process that is being forked holds a copy of f until it executes.
		_ = funlock(f) // it cannot fail but for a second call
		f.Close()
	}, nil
}

func (d *directory) openLock() (*os.File, error) {
	folder, err := d.root.Open(d.folder)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	f, err := openLock(folder)
	return f, d.root.named(d.path(lockName), err)
}
