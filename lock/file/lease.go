package file

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/dropship/dropship/lock"
)

// lookInterval is how often a holder looks whether its file is still the one that others would lock.
const lookInterval = time.Second

type lease struct {
	file *os.File
	path string

	lost     chan struct{}
	loseOnce sync.Once
	stop     chan struct{}
	stopped  chan struct{}

	mu       sync.Mutex
	released bool
}

var _ lock.Lease = (*lease)(nil)

func newLease(f *os.File, path string) *lease {
	l := &lease{file: f, path: path, lost: make(chan struct{}), stop: make(chan struct{}), stopped: make(chan struct{})}
	go l.watch()
	return l
}

func (l *lease) watch() {
	defer close(l.stopped)
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if l.look() != nil {
				return
			}
		case <-l.stop:
			return
		}
	}
}

// look returns an ErrLost if path is another file than the locked one, and then closes Lost.
func (l *lease) look() error {
	if err := l.Err(); err != nil {
		return err
	}
	if samePlace(l.file, l.path) {
		return nil
	}
	l.loseOnce.Do(func() { close(l.lost) })
	return l.Err()
}

func (l *lease) lossOf(reason string) error {
	return fmt.Errorf("%w: %s: %s", lock.ErrLost, l.path, reason)
}

func (l *lease) Lost() <-chan struct{} { return l.lost }

func (l *lease) Err() error {
	select {
	case <-l.lost:
		return l.lossOf("its file was removed or replaced")
	default:
		return nil
	}
}

func (l *lease) Check(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.released {
		return l.lossOf("it was released")
	}
	return l.look()
}

func (l *lease) Release(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.released {
		return nil
	}
	l.released = true
	close(l.stop)
	<-l.stopped
	// So that nobody reads who held it last as who holds it; the lock is what counts, so a failure is no matter.
	_ = l.file.Truncate(0)
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("cannot give back %s: %w", l.path, err)
	}
	return nil
}

// samePlace reports whether path is the open file f.
func samePlace(f *os.File, path string) bool {
	open, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(path)
	return err == nil && os.SameFile(open, there)
}
