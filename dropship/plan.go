package dropship

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/install"
	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/lock"
)

const (
	// listLimit is the largest artifact, in bytes, that a plan downloads to tell which files would change: a second or
	// two on the links of servers.
	listLimit = 16 << 20
	// listTimeout bounds that, and the comparison with what is at the destination.
	listTimeout = 30 * time.Second
	// lineTimeout is how long a plan waits to hear who takes turns.
	lineTimeout = 5 * time.Second
)

// A Plan is what an update of a service would do now. Its JSON is what `dropship plan --json` writes.
type Plan struct {
	Service     string         `json:"service"`
	Artifact    string         `json:"artifact"` // the source, "s3://bucket/key"
	Destination string         `json:"destination"`
	Present     bool           `json:"present"`              // there is something at the destination
	Installed   *Installed     `json:"installed,omitempty"`  // nil: nothing known
	Repository  *Remote        `json:"repository,omitempty"` // nil: it could not be asked
	Outcome     Outcome        `json:"outcome,omitempty"`    // UpToDate, Quarantine, Held or Updated: what the update would come to if nothing fails
	Reason      string         `json:"reason,omitempty"`     // why, in words, where that is not plain
	Paused      *Pause         `json:"paused,omitempty"`
	Interrupted *PlannedUpdate `json:"interrupted,omitempty"` // an update was interrupted: it is completed or undone first
	Unfinished  *PlannedUpdate `json:"unfinished,omitempty"`  // what an update that failed could not put in order is tried again first

	// What follows is there if there is something to install: with Updated and with Held.

	Fetch     int64            `json:"fetch"`                // bytes to download, -1 if unknown, 0 if staged already
	Staged    bool             `json:"staged"`               // the release waits beside the destination
	Changes   *install.Changes `json:"changes,omitempty"`    // nil: not known; NotListed says why
	NotListed string           `json:"not_listed,omitempty"` // why it is not known which files would change
	Doubt     string           `json:"doubt,omitempty"`      // why the update may fail, as far as a plan finds out: no room, or an artifact that cannot be listed
	Slot      *PlannedSlot     `json:"slot,omitempty"`       // nil: no slot is taken
	Before    []PlannedHook    `json:"before,omitempty"`     // in order
	After     []PlannedHook    `json:"after,omitempty"`
	Error     string           `json:"error,omitempty"` // why it cannot be planned, and could not be made
	Step      Step             `json:"step,omitempty"`  // that failed
}

// A PlannedUpdate is an earlier update that comes first.
type PlannedUpdate struct {
	UpdateID string   `json:"update_id"`
	Hash     string   `json:"hash"`
	Hooks    []string `json:"hooks,omitempty"` // of an unfinished one: what is to be run again
	Error    string   `json:"error,omitempty"`
}

// A PlannedSlot is the turn that the update would take.
type PlannedSlot struct {
	Locker string        `json:"locker"`
	Group  string        `json:"group"`
	Slots  int           `json:"slots"` // how many machines at once
	Hold   Seconds       `json:"hold"`  // how long it is kept after a good update
	Line   []lock.Holder `json:"line"`  // who holds slots, and after them who waits, as far as the locker knows
	Error  string        `json:"error,omitempty"`
}

// A PlannedHook is one step of a chain.
type PlannedHook struct {
	Name    string        `json:"name"`
	When    hooks.When    `json:"when"`
	OnError hooks.OnError `json:"on_error"`
	Timeout Seconds       `json:"timeout"`
}

// Plan says what Update would do, and changes nothing: it takes no slot and no lock, and writes nothing. Which files
// would change it says of a release that is staged already, and else of an artifact that it can download in a moment, of
// 16 MiB at the most. Neither that nor who takes turns makes a plan fail: it says why it does not know. An error is a
// *StepError; the plan then has what was learned before.
func (s *Service) Plan(ctx context.Context, m *Machine) (p Plan, err error) {
	p = Plan{Service: s.Name, Artifact: s.Source.String(), Destination: s.Site.Destination()}
	defer func() {
		if err != nil {
			p.Error, p.Step = err.Error(), stepOf(err)
		}
	}()
	st, err := m.Store.Load(s.Name)
	if err != nil {
		return p, &StepError{StepState, err}
	}
	u := &update{Service: s, m: m, st: st, started: time.Now()}
	if err := u.look(); err != nil {
		return p, &StepError{StepState, err}
	}
	p.Installed, p.Present = u.st.Installed, u.present
	p.comesFirst(st)
	if p.Paused, err = m.Store.Paused(s.Name); err != nil {
		return p, &StepError{StepState, err}
	}
	info, err := s.Source.Stat(ctx)
	if err != nil {
		return p, &StepError{StepCheck, err}
	}
	p.Repository = &Remote{Revision: info.Revision, Hash: info.MD5, Size: info.Size}
	r := u.decide(info, info.MD5)
	if s.board() != nil && r.Outcome != UpToDate {
		if _, _, err := u.ask(ctx, r); err != nil {
			p.Reason = fmt.Sprintf("it is not known whether it is quarantined for group %s: %v", s.Turn.Group, err)
		}
		r = u.decide(info, info.MD5)
	}
	if p.Outcome = r.Outcome; p.Outcome != "" {
		p.Reason = r.Detail
		return p, nil
	}
	p.Outcome = Updated
	if p.Paused != nil {
		p.Outcome, p.Reason = Held, p.Paused.String()
	}
	return p, p.install(ctx, u, info)
}

// comesFirst says what an update does before it looks for something new.
func (p *Plan) comesFirst(st *State) {
	if j := st.Journal; j != nil {
		p.Interrupted = &PlannedUpdate{UpdateID: j.UpdateID, Hash: j.To.Hash}
	}
	if l := st.Unfinished; l != nil {
		p.Unfinished = &PlannedUpdate{UpdateID: l.Update.UpdateID, Hash: l.Update.To.Hash, Hooks: l.Names(), Error: l.Error}
	}
}

// install plans the part that changes something.
func (p *Plan) install(ctx context.Context, u *update, info artifact.Info) error {
	rel, staged, err := u.staged(info)
	if err != nil {
		return &StepError{StepStage, err}
	}
	p.Staged, p.Fetch = staged, info.Size
	if err := u.ready(); err != nil {
		return &StepError{StepStage, err}
	}
	if staged {
		p.Fetch = 0
	} else if err := u.Site.Room(info.Size); err != nil {
		p.Doubt = err.Error() // the update may yet make room
	}
	p.Before, p.After = planned(u.Before), planned(u.After)
	if u.Turn != nil {
		p.Slot = u.slot(ctx)
	}
	changes, err := u.changes(ctx, info, rel, staged)
	if err == nil {
		p.Changes = &changes
		return nil
	}
	p.NotListed = err.Error()
	if _, untried := errors.AsType[untriedError](err); !untried && p.Doubt == "" {
		p.Doubt = p.NotListed // the update reads the same bytes
	}
	return nil
}

func planned(chain hooks.Chain) []PlannedHook {
	all := make([]PlannedHook, len(chain))
	for i, step := range chain {
		all[i] = PlannedHook{Name: step.String(), When: step.When, OnError: step.OnError, Timeout: Seconds(step.Timeout)}
	}
	return all
}

// slot says which turn would be taken, and who takes turns now.
func (u *update) slot(ctx context.Context) *PlannedSlot {
	slot := &PlannedSlot{Locker: u.Turn.Locker.String(), Group: u.Turn.Group, Slots: u.Turn.Slots, Hold: Seconds(u.UpdateTTL), Line: []lock.Holder{}}
	line, ok := u.Turn.Locker.(lock.Line)
	if !ok {
		slot.Error = "this locker does not tell who takes turns"
		return slot
	}
	ctx, cancel := context.WithTimeoutCause(ctx, lineTimeout, fmt.Errorf("no answer within %s", lineTimeout))
	defer cancel()
	holders, err := line.Line(ctx, u.Turn.Group)
	if err != nil {
		slot.Error = err.Error()
		return slot
	}
	slot.Line = append(slot.Line, holders...)
	return slot
}

// An untriedError is why a plan does not list, or not to the end, what an update would unpack.
type untriedError struct{ text string }

func (e untriedError) Error() string { return e.text }

// changes returns which files would change. An error says why that is not known.
func (u *update) changes(ctx context.Context, info artifact.Info, rel install.Release, staged bool) (install.Changes, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, listTimeout, untriedError{fmt.Sprintf("it takes longer than %s", listTimeout)})
	defer cancel()
	if staged {
		return u.Site.CompareRelease(ctx, rel.ID)
	}
	switch {
	case info.Size < 0:
		return install.Changes{}, untriedError{"the size of the artifact is not known before the download"}
	case info.Size > listLimit:
		return install.Changes{}, untriedError{fmt.Sprintf("the artifact is larger than the %d MiB that a plan downloads", listLimit>>20)}
	}
	sums, err := u.Source.Checksums(ctx, info)
	if err != nil {
		return install.Changes{}, err
	}
	verifier, err := artifact.NewVerifier(u.Source.String(), info.Size, sums)
	if err != nil {
		return install.Changes{}, err
	}
	defer verifier.Stop()
	body, err := u.Source.Open(ctx, info, 0, -1)
	if err != nil {
		return install.Changes{}, err
	}
	defer body.Close()
	changes, err := u.Site.Compare(ctx, io.TeeReader(io.LimitReader(body, info.Size+1), verifier))
	if err == nil {
		err = verifier.Verify()
	}
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return changes, err
}
