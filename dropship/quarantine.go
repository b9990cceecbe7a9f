package dropship

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/lock"
)

const (
	// quarantineLimit bounds the hashes a service remembers as bad; the oldest is forgotten first.
	quarantineLimit = lock.QuarantineLimit
	// boardTimeout bounds one exchange with the other machines of the group.
	boardTimeout = 10 * time.Second
	// tellAfter is the pause before another try to tell them what failed.
	tellAfter = 500 * time.Millisecond
	// toldLimit bounds, in bytes, what other machines are told of an error.
	toldLimit = 300
)

// Quarantined is a hash that failed, here or on another machine of the group: nobody installs it again until told to.
type Quarantined struct {
	Hash     string    `json:"hash"`
	Revision string    `json:"revision"` // recognises it before the download, where the repository knows no md5
	Artifact string    `json:"artifact"`
	Error    string    `json:"error"`
	Told     string    `json:"told,omitempty"` // what other machines are told of the error
	Host     string    `json:"host,omitempty"` // where it failed; empty: here
	Since    time.Time `json:"since"`
	UpdateID string    `json:"update_id"`
}

// String says where, when and why: "hash … failed on web-07 at 2026-01-02 15:04:05 UTC: …".
func (q Quarantined) String() string {
	return fmt.Sprintf("hash %s failed on %s at %s: %s", q.Hash, cmp.Or(q.Host, "this machine"), LocalTime(q.Since), q.Error)
}

// entry returns q as it stands on the board.
func (q Quarantined) entry(service string) lock.Quarantine {
	return lock.Quarantine{
		Service: service, Hash: q.Hash, Revision: q.Revision, Artifact: q.Artifact,
		Error: cmp.Or(q.Told, "its log says why"), Host: q.Host, UpdateID: q.UpdateID, Since: q.Since,
	}
}

// heard returns an entry of the board as it is remembered here.
func heard(e lock.Quarantine) Quarantined {
	why := short(e.Error)
	return Quarantined{
		Hash: e.Hash, Revision: e.Revision, Artifact: e.Artifact,
		Error: why, Told: why, Host: short(e.Host), Since: e.Since, UpdateID: e.UpdateID,
	}
}

// short is Printable, and bounded.
func short(text string) string {
	if len(text) > toldLimit {
		text = strings.ToValidUTF8(text[:toldLimit], "") + "…"
	}
	return Printable(text)
}

// quarantined returns why a hash or revision must not be installed, or false.
func (st *State) quarantined(artifactName, hash, revision string) (Quarantined, bool) {
	for _, q := range st.Quarantine {
		if hash != "" && q.Hash == hash || q.Artifact == artifactName && q.Revision == revision {
			return q, true
		}
	}
	return Quarantined{}, false
}

// quarantine adds q, in place of an older entry of the same hash.
func (st *State) quarantine(q Quarantined) {
	st.Quarantine = slices.DeleteFunc(st.Quarantine, func(o Quarantined) bool { return o.Hash == q.Hash })
	st.Quarantine = append(st.Quarantine, q)
	if extra := len(st.Quarantine) - quarantineLimit; extra > 0 {
		st.Quarantine = slices.Delete(st.Quarantine, 0, extra)
	}
}

// heed brings what is quarantined here in line with the board, and returns the entries that were lifted here. Of two
// machines that found the same hash bad at once both heed the entry on the board, so that one lift frees both.
func (st *State) heed(entries []lock.Quarantine) (lifted []lock.Quarantine) {
	for _, e := range entries {
		i := slices.IndexFunc(st.Quarantine, func(q Quarantined) bool { return q.Hash == e.Hash })
		switch {
		case e.Lifted == nil && (i < 0 || st.Quarantine[i].UpdateID != e.UpdateID):
			st.quarantine(heard(e))
		case e.Lifted != nil && i >= 0 && st.Quarantine[i].entry(e.Service).LiftedBy(e):
			st.Quarantine = slices.Delete(st.Quarantine, i, i+1)
			lifted = append(lifted, e)
		}
	}
	return lifted
}

// quarantine remembers the release that failed as one that nobody installs again until told to, and returns it.
func (u *update) quarantine(failed *Journal, cause error) Quarantined {
	q := Quarantined{
		Hash: failed.To.Hash, Revision: failed.To.Revision, Artifact: failed.To.Artifact,
		Error: cause.Error(), Told: told(cause), Host: u.m.Hostname, Since: time.Now().UTC(), UpdateID: failed.UpdateID,
	}
	u.st.quarantine(q)
	return q
}

// told is what other machines may read of why an update failed: which hook, but nothing that a script or a server
// printed, since whoever reads the board need not be allowed to see that.
func told(cause error) string {
	text := "its after chain did not come to an end"
	if asked, ok := errors.AsType[askedError](cause); ok {
		text = asked.Error()
	} else if step, ok := errors.AsType[*hooks.StepError](cause); ok {
		text = fmt.Sprintf("%s hook %d failed", step.Phase, step.Index+1)
		if exit, ok := errors.AsType[*exec.ExitError](cause); ok {
			text += " with " + exit.String()
		}
		text += ": " + step.Hook
	}
	return short(text)
}

// board returns where the machines of the group tell each other what failed, or nil if they do not: without a turn,
// or with the locker of a single machine.
func (s *Service) board() lock.Board {
	if s.Turn == nil {
		return nil
	}
	b, _ := s.Turn.Locker.(lock.Board)
	return b
}

// Shares reports whether the machines of the service's group tell each other what failed.
func (s *Service) Shares() bool { return s.board() != nil }

// tell puts a quarantine on the board while its caller goes on putting the machine in order. It tries for a while,
// since a request that fails would cost the next machine a rollback. The function that it returns waits for the end of
// that, and remembers what stands there. What cannot be told now is told at a later check.
func (u *update) tell(ctx context.Context, q Quarantined) (wait func()) {
	b := u.board()
	if b == nil {
		return func() {}
	}
	var entry lock.Quarantine
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		ctx, cancel := context.WithTimeout(ctx, boardTimeout)
		defer cancel()
		for {
			entry, err = b.Quarantine(ctx, u.Turn.Group, q.entry(u.Name))
			if err == nil || !sleep(ctx, tellAfter) {
				return
			}
		}
	}()
	return func() {
		<-done
		if err != nil {
			u.log.WarnContext(ctx, "cannot tell the other machines that this hash failed: they are told at a later check", "hash", q.Hash, "error", err)
			return
		}
		if entry.UpdateID == q.UpdateID {
			return
		}
		u.st.heed([]lock.Quarantine{entry})
		if err := u.m.Store.Save(u.st); err != nil {
			u.log.WarnContext(ctx, "cannot record what another machine found bad, too", "error", err)
		}
	}
}

// ask reads the board and brings the state in line with it, without saving it. A stale answer decides nothing: what
// it would change is read again. r is what was decided without it.
func (u *update) ask(ctx context.Context, r Result) (entries, lifted []lock.Quarantine, err error) {
	b, before := u.board(), slices.Clone(u.st.Quarantine)
	ctx, cancel := context.WithTimeout(ctx, boardTimeout)
	defer cancel()
	stale := r.Outcome == Quarantine
	if entries, err = b.Quarantined(ctx, u.Turn.Group, u.Name, stale); err != nil {
		return nil, nil, err
	}
	lifted = u.st.heed(entries)
	if !stale || slices.Equal(before, u.st.Quarantine) {
		return entries, lifted, nil
	}
	u.st.Quarantine = before
	if entries, err = b.Quarantined(ctx, u.Turn.Group, u.Name, false); err != nil {
		return nil, nil, err
	}
	return entries, u.st.heed(entries), nil
}

// consult decides anew with what the other machines of the group know of what is to be installed, or is quarantined:
// r is what was decided without them. Whoever does not answer changes nothing, but that with the slot taken nothing is
// installed: the machine that had the slot before may have said no.
func (u *update) consult(ctx context.Context, info artifact.Info, hash string, r Result) (Result, error) {
	if u.board() == nil || r.Outcome != "" && r.Outcome != Quarantine {
		return r, nil
	}
	if l, ok := u.lease.(lock.BoardLease); ok && l.Unnoticed() && u.decide(info, hash).Outcome != Quarantine {
		return u.nothingToDo(info, hash) // the board had nothing of it when the slot was given
	}
	before := slices.Clone(u.st.Quarantine)
	entries, lifted, err := u.ask(ctx, r)
	if err == nil && u.decide(info, hash).Outcome == Quarantine {
		lifted, err = u.tellAgain(ctx, info, hash, entries, lifted)
	}
	switch {
	case err != nil && u.lease != nil:
		return r, &StepError{StepSlot, fmt.Errorf("cannot ask what is quarantined for group %s: %w", u.Turn.Group, err)}
	case err != nil:
		u.log.DebugContext(ctx, "cannot ask the other machines what is quarantined", "error", err)
	}
	for _, e := range lifted {
		u.log.InfoContext(ctx, "quarantine lifted", "hash", e.Hash, "by", short(e.Lifted.By), "at", e.Lifted.At)
	}
	if !slices.Equal(before, u.st.Quarantine) {
		if err := u.m.Store.Save(u.st); err != nil {
			return r, &StepError{StepState, err}
		}
	}
	return u.nothingToDo(info, hash)
}

// tellAgain puts up what is quarantined here and not on the board, which could not be reached when it was due, or lost
// its data since.
func (u *update) tellAgain(ctx context.Context, info artifact.Info, hash string, entries, lifted []lock.Quarantine) ([]lock.Quarantine, error) {
	q, _ := u.st.quarantined(u.Source.String(), hash, info.Revision)
	if slices.ContainsFunc(entries, func(e lock.Quarantine) bool { return e.Hash == q.Hash && e.Lifted == nil }) {
		return lifted, nil
	}
	ctx, cancel := context.WithTimeout(ctx, boardTimeout)
	defer cancel()
	entry, err := u.board().Quarantine(ctx, u.Turn.Group, q.entry(u.Name))
	if err != nil {
		return lifted, err
	}
	u.log.InfoContext(ctx, "told the other machines that this hash failed", "hash", q.Hash)
	return append(lifted, u.st.heed([]lock.Quarantine{entry})...), nil
}

// discardQuarantined removes what was staged and is quarantined by now.
func (u *update) discardQuarantined(r Result) error {
	if r.Outcome != Quarantine || u.st.Staged == nil || u.st.Staged.Hash != r.Quarantined {
		return nil
	}
	err := u.own()
	if err == nil {
		err = u.discardStaged()
	}
	if err != nil {
		return &StepError{StepStage, err}
	}
	return nil
}
