package file

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/dropship/dropship/lock"
)

// The pause between two tries.
const (
	firstPoll = 10 * time.Millisecond
	lastPoll  = 250 * time.Millisecond
)

// A Locker gives turns through locked files in one directory.
type Locker struct{ dir string }

var _ lock.Locker = (*Locker)(nil)

// String returns the directory: "file:///run/dropship/lock".
func (l *Locker) String() string { return "file://" + l.dir }

// Acquire implements lock.Locker.
func (l *Locker) Acquire(ctx context.Context, req lock.Request) (lock.Lease, error) {
	if err := req.Validate(); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err := os.MkdirAll(l.dir, 0o755); err != nil {
		return nil, fmt.Errorf("cannot make the directory for locks (the path of the lock block): %w", err)
	}
	holder := req.Holder
	holder.Slots, holder.Since, holder.Holding = req.Slots, time.Now().UTC(), true

	var ahead []lock.Holder // as last told
	for poll := firstPoll; ; poll = min(2*poll, lastPoll) {
		lease, holders, err := l.try(req.Group, holder)
		switch {
		case lease != nil:
			return lease, nil
		case errors.Is(err, errLocked): // somebody else is trying at this very moment
		case err != nil:
			return nil, err
		case !slices.Equal(holders, ahead):
			ahead = holders
			if req.Waiting != nil {
				req.Waiting(slices.Clone(ahead))
			}
		}
		if !sleep(ctx, poll) {
			return nil, &lock.BusyError{Group: req.Group, Ahead: ahead, Cause: context.Cause(ctx)}
		}
	}
}

// try takes a free slot of the group, or returns who holds them all. It looks and takes under a lock of
// its own, GROUP.lock, so that what it reads of the holders is no older than what it decides.
func (l *Locker) try(group string, holder lock.Holder) (*lease, []lock.Holder, error) {
	turn, err := lockFile(filepath.Join(l.dir, group+".lock"))
	if err != nil {
		return nil, nil, err
	}
	defer turn.Close()

	holders, err := l.holders(group)
	if err != nil {
		return nil, nil, err
	}
	for _, h := range holders {
		// An unreadable holder has no number of slots to disagree with.
		if h.Slots != 0 && h.Slots != holder.Slots {
			return nil, nil, &lock.SlotsError{Group: group, Slots: holder.Slots, Other: h}
		}
	}
	for i := range holder.Slots {
		path := filepath.Join(l.dir, group+"."+strconv.Itoa(i))
		f, err := lockFile(path)
		if errors.Is(err, errLocked) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		if err := write(f, holder); err != nil {
			f.Close()
			return nil, nil, err
		}
		return newLease(f, path), nil, nil
	}
	return nil, holders, nil
}

// sleep waits for d and reports whether it did: false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
