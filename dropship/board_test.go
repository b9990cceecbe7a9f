package dropship_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/lock"
	"github.com/dropship/dropship/lock/locktest"
)

// A board is one in memory whose troubles are made by hand. It passes the suite of every board.
type board struct {
	mu    sync.Mutex
	m     map[string]lock.Quarantine // by group, service and hash
	order []string
	old   map[string]lock.Quarantine // what stale answers show; nil: what there is
	err   error                      // what every call answers
	reads int
}

func newBoard() *board { return &board{m: make(map[string]lock.Quarantine)} }

func (b *board) set(change func(*board)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(b)
}

func (b *board) Quarantined(_ context.Context, group, service string, stale bool) ([]lock.Quarantine, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reads++
	if err := errors.Join(lock.ValidateNames(group, service), b.err); err != nil {
		return nil, err
	}
	from := b.m
	if stale && b.old != nil {
		from = b.old
	}
	var entries []lock.Quarantine
	for key, q := range from {
		if strings.HasPrefix(key, group+"/"+service+"/") {
			entries = append(entries, q)
		}
	}
	return entries, nil
}

func (b *board) Quarantine(_ context.Context, group string, q lock.Quarantine) (lock.Quarantine, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := errors.Join(q.Validate(group), b.err); err != nil {
		return q, err
	}
	folder := group + "/" + q.Service + "/"
	if old, ok := b.m[folder+q.Hash]; ok && (old.Lifted == nil || old.UpdateID == q.UpdateID) {
		return old, nil
	}
	b.m[folder+q.Hash] = q
	b.order = append(b.order, folder+q.Hash)
	for n := 0; n < len(b.order); n++ {
		if len(b.entries(folder)) <= lock.QuarantineLimit {
			break
		}
		if strings.HasPrefix(b.order[n], folder) {
			delete(b.m, b.order[n])
		}
	}
	return q, nil
}

func (b *board) Lift(_ context.Context, group, service, by string) ([]lock.Quarantine, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := errors.Join(lock.ValidateNames(group, service), b.err); err != nil {
		return nil, err
	}
	var lifted []lock.Quarantine
	for _, key := range b.entries(group + "/" + service + "/") {
		if q := b.m[key]; q.Lifted == nil {
			q.Lifted = &lock.Lift{By: by, At: time.Now().UTC()}
			b.m[key] = q
			lifted = append(lifted, q)
		}
	}
	return lifted, nil
}

func (b *board) entries(folder string) []string {
	return slices.Collect(func(yield func(string) bool) {
		for key := range b.m {
			if strings.HasPrefix(key, folder) && !yield(key) {
				return
			}
		}
	})
}

// only returns the one entry.
func (b *board) only(t *testing.T) lock.Quarantine {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	all := slices.Collect(maps.Values(b.m))
	if len(all) != 1 {
		t.Fatalf("on the board: got %+v, want one entry", all)
	}
	return all[0]
}

func TestBoardInMemoryIsOne(t *testing.T) {
	t.Parallel()
	boards := make(map[string]*board)
	of := func(t *testing.T) *board {
		if boards[t.Name()] == nil {
			boards[t.Name()] = newBoard()
		}
		return boards[t.Name()]
	}
	var mu sync.Mutex
	locktest.RunBoard(t, locktest.BoardSuite{
		New: func(t *testing.T) lock.Board {
			mu.Lock()
			defer mu.Unlock()
			return of(t)
		},
		Unreachable: func(*testing.T) lock.Board {
			b := newBoard()
			b.err = errors.New("cannot reach the board")
			return b
		},
		Wipe: func(t *testing.T, _, _ string) {
			mu.Lock()
			defer mu.Unlock()
			of(t).set(func(b *board) { clear(b.m) })
		},
		Spoil: func(t *testing.T, group, service, hash string) {
			mu.Lock()
			defer mu.Unlock()
			of(t).set(func(b *board) { delete(b.m, group+"/"+service+"/"+hash) })
		},
	})
}

// A boardLocker gives leases that tell of the board.
type boardLocker struct {
	*locker
	*board
}

func (l boardLocker) Acquire(ctx context.Context, req lock.Request) (lock.Lease, error) {
	lease, err := l.locker.Acquire(ctx, req)
	if err != nil {
		return nil, err
	}
	l.board.mu.Lock()
	defer l.board.mu.Unlock()
	_, there := l.m[req.Group+"/"+req.Holder.Service+"/"+req.Holder.Hash]
	return boardLease{lease, !there && l.board.err == nil && req.Holder.Hash != ""}, nil
}

type boardLease struct {
	lock.Lease
	unnoticed bool
}

func (l boardLease) Unnoticed() bool { return l.unnoticed }

// member makes a machine of a group that shares a board. Its application does not work with the version "bad".
func member(t *testing.T, b *board, host string) *world {
	w := newWorld(t)
	w.machine.Hostname = host
	w.service.Turn = &dropship.Turn{Group: "web", Slots: 1, Locker: boardLocker{w.locker, b}}
	w.service.Before = hooks.Chain{w.hook("stop", nil)}
	w.service.After = hooks.Chain{w.hook("start", nil), w.brokenAt("bad")}
	return w
}

// group returns machines that all have version 1.
func group(t *testing.T, b *board, hosts ...string) []*world {
	t.Helper()
	var all []*world
	for _, host := range hosts {
		w := member(t, b, host)
		w.source.publish(pack(t, "1"), "r1")
		w.mustUpdate(dropship.Updated)
		w.took()
		w.source.counts()
		all = append(all, w)
	}
	return all
}

// rollsBack publishes the version "bad" for a machine, which rolls it back.
func (w *world) rollsBack() {
	w.t.Helper()
	w.source.publish(pack(w.t, "bad"), "r-bad")
	if r, err := w.update(); r.Outcome != dropship.RolledBack {
		w.t.Fatalf("got %q, %v, want it rolled back\n%s", r.Outcome, err, w.log)
	}
	w.wantLive("1")
	w.took()
	w.source.counts()
}
