package consul

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/dropship/dropship/lock"
)

// boardFolder is beside the folders of the groups, none of whose names begins with a dot.
const boardFolder = ".quarantine"

// boardTries is how often a write is tried that others overtake.
const boardTries = 10

var _ lock.Board = (*Locker)(nil)

// Quarantined implements lock.Board. The entry of a hash is the key PREFIX/.quarantine/GROUP/SERVICE/HASH, a
// lock.Quarantine as JSON. A key that cannot be read as one counts as absent.
func (l *Locker) Quarantined(ctx context.Context, group, service string, stale bool) ([]lock.Quarantine, error) {
	b, err := l.board(group, service)
	if err != nil {
		return nil, err
	}
	defer b.close()
	notices, err := b.list(ctx, stale)
	if err != nil {
		return nil, err
	}
	var entries []lock.Quarantine
	for _, n := range notices {
		if n.readable {
			entries = append(entries, n.entry)
		}
	}
	return entries, nil
}

// Quarantine implements lock.Board.
func (l *Locker) Quarantine(ctx context.Context, group string, q lock.Quarantine) (lock.Quarantine, error) {
	if err := q.Validate(group); err != nil {
		return q, err
	}
	b, err := l.board(group, q.Service)
	if err != nil {
		return q, err
	}
	defer b.close()
	for range boardTries {
		notices, err := b.list(ctx, false)
		if err != nil {
			return q, err
		}
		next := notice{key: b.folder + q.Hash, entry: q}
		if i := slices.IndexFunc(notices, func(n notice) bool { return n.key == next.key }); i >= 0 {
			old := notices[i]
			if old.readable && (old.entry.Lifted == nil || old.entry.UpdateID == q.UpdateID) {
				return old.entry, nil
			}
			next.modified = old.modified
			notices = slices.Delete(notices, i, i+1)
		}
		switch written, err := b.write(ctx, next); {
		case err != nil:
			return q, err
		case written:
			return q, b.prune(ctx, notices)
		}
	}
	return q, b.overtaken()
}

// Lift implements lock.Board.
func (l *Locker) Lift(ctx context.Context, group, service, by string) ([]lock.Quarantine, error) {
	b, err := l.board(group, service)
	if err != nil {
		return nil, err
	}
	defer b.close()
	var lifted []lock.Quarantine
	for range boardTries {
		notices, err := b.list(ctx, false)
		if err != nil {
			return lifted, err
		}
		done := true
		for _, n := range notices {
			if !n.readable || n.entry.Lifted != nil {
				continue
			}
			n.entry.Lifted = &lock.Lift{By: by, At: time.Now().UTC()}
			written, err := b.write(ctx, n)
			switch {
			case err != nil:
				return lifted, err
			case written:
				lifted = append(lifted, n.entry)
			default:
				done = false
			}
		}
		if done {
			return lifted, nil
		}
	}
	return lifted, b.overtaken()
}

// A board is the quarantines of one service in Consul.
type board struct {
	*store
	service string
}

// board makes a client for one call, as Acquire does.
func (l *Locker) board(group, service string) (board, error) {
	if err := lock.ValidateNames(group, service); err != nil {
		return board{}, err
	}
	s, err := newStore(l.dial, l.connection, l.prefix, boardFolder+"/"+group+"/"+service)
	return board{s, service}, err
}

// notice returns the key that is there if what the holder wants to install is on the board; empty if it does not say
// what that is.
func (s *store) notice(req lock.Request) string {
	h := req.Holder
	if (lock.Quarantine{Service: h.Service, Hash: h.Hash, UpdateID: "any"}).Validate(req.Group) != nil {
		return ""
	}
	return s.prefix + "/" + boardFolder + "/" + req.Group + "/" + h.Service + "/" + h.Hash
}

// A notice is one key of a board.
type notice struct {
	key      string
	modified uint64 // ModifyIndex; 0: the key is not there yet
	entry    lock.Quarantine
	readable bool
}

func (b board) list(ctx context.Context, stale bool) ([]notice, error) {
	ctx, cancel := bounded(ctx, requestTimeout)
	defer cancel()
	pairs, meta, err := b.client.KV().List(b.folder, (&api.QueryOptions{RequireConsistent: !stale, AllowStale: stale}).WithContext(ctx))
	switch {
	case err != nil:
		return nil, b.failed(ctx, "read "+b.folder, err)
	case meta.ResultsFilteredByACLs:
		return nil, b.partial("read " + b.folder)
	}
	notices := make([]notice, 0, len(pairs))
	for _, p := range present(pairs) {
		n := notice{key: p.Key, modified: p.ModifyIndex}
		n.readable = json.Unmarshal(p.Value, &n.entry) == nil && b.folder+n.entry.Hash == p.Key && n.entry.Service == b.service && n.entry.UpdateID != ""
		notices = append(notices, n)
	}
	return notices, nil
}

// write writes a notice if its key is still as it was read, and reports whether it was.
func (b board) write(ctx context.Context, n notice) (bool, error) {
	value, err := json.Marshal(n.entry)
	if err != nil {
		return false, fmt.Errorf("cannot write %s: %w", n.key, err)
	}
	ctx, cancel := bounded(ctx, requestTimeout)
	defer cancel()
	written, _, err := b.client.KV().CAS(&api.KVPair{Key: n.key, Value: value, ModifyIndex: n.modified}, (&api.WriteOptions{}).WithContext(ctx))
	if err != nil {
		return false, b.failed(ctx, "write "+n.key, err)
	}
	return written, nil
}

// prune makes room for one notice more: those that were touched longest ago go, unless that changes right now.
func (b board) prune(ctx context.Context, notices []notice) error {
	slices.SortFunc(notices, func(a, b notice) int { return cmp.Compare(a.modified, b.modified) })
	for _, n := range notices[:max(0, len(notices)+1-lock.QuarantineLimit)] {
		ctx, cancel := bounded(ctx, requestTimeout)
		_, _, err := b.client.KV().DeleteCAS(&api.KVPair{Key: n.key, ModifyIndex: n.modified}, (&api.WriteOptions{}).WithContext(ctx))
		cancel()
		if err != nil {
			return b.failed(ctx, "remove "+n.key, err)
		}
	}
	return nil
}

func (b board) overtaken() error {
	return fmt.Errorf("cannot write below %s at %s: others wrote there first, %d times in a row", b.folder, b.where, boardTries)
}
