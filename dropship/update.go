package dropship

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/dropship/dropship/artifact/install"
	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/lock"
)

// Update brings the service to what its repository holds: check, stage, slot, re-check, before hooks,
// switch, after hooks, settle, hold. It changes nothing if there is nothing new; if a step fails it
// leaves what design and manual say for that step, and returns a *StepError.
//
// When ctx ends before the first hook has run, the update is abandoned with nothing changed. From the
// first hook on it is completed (or rolled back), however long that takes; only the hold is cut short.
//
// An update that was interrupted earlier is completed or undone first; the call then ends with the
// outcome Recovered and its caller calls again. ErrServiceBusy: another process works on the service.
func (s *Service) Update(ctx context.Context, m *Machine) (Result, error) {
	return s.work(ctx, m, func(u *update) (Result, error) {
		u.putInOrder(ctx)
		rel, r, err := u.comeToTurn(ctx)
		if err == nil && r.Outcome == "" {
			r, err = u.held()
		}
		if err != nil || r.Outcome != "" {
			return r, err
		}
		return u.install(ctx, rel, hooks.StatusUpdate)
	})
}

// work does something with the service that nobody else does at the same time. An update that was interrupted is
// completed or undone instead.
func (s *Service) work(ctx context.Context, m *Machine, do func(*update) (Result, error)) (r Result, err error) {
	u := &update{Service: s, m: m, started: time.Now()}
	u.id = newUpdateID(u.started)
	u.log = m.Logger.With("service", s.Name, "update_id", u.id)
	defer func() { u.end(ctx, r, err) }()

	unlock, err := m.Store.Lock(s.Name)
	if err != nil {
		return Result{}, &StepError{StepState, err}
	}
	defer unlock()
	defer u.disown()
	if err := u.begin(ctx); err != nil {
		return Result{}, &StepError{StepState, err}
	}
	if u.st.Journal != nil {
		return u.recover(ctx)
	}
	defer func() {
		if u.lease != nil {
			u.release(ctx)
		}
	}()
	return do(u)
}

// An update is one call of Service.Update.
type update struct {
	*Service
	m       *Machine
	st      *State
	present bool // there is something at the destination
	id      string
	started time.Time
	by      string // the person who asked for it; empty: nobody
	reason  string // why that person did
	// published is what the repository held when that person did, to be kept away; nil: not known.
	published *install.Release
	log       *slog.Logger
	unlock    func() // ends the ownership of the destination; nil without it
	fetched   bool   // a download was begun

	corrected bool // what was remembered of the destination was not what is there

	begun     bool         // it was told that there is something to install
	status    hooks.Status // that it began with
	remote    *Remote      // what the repository held when it was asked last; nil: not asked
	recovered bool         // another process began it
	undone    error        // why what another process began was undone; nil: it was completed

	lease    lock.Lease // nil without a turn
	saidLost bool       // that the slot was lost after the switch
}

// begin loads what is known of the service, and removes what an interrupted process left half done.
func (u *update) begin(ctx context.Context) error {
	if err := u.restore(ctx); err != nil {
		return err
	}
	if u.st.Journal != nil {
		return u.own()
	}
	if u.st.Installed != nil && u.m.once(u.Name, tidied, u.Site.Destination()) && u.own() != nil {
		u.untidy() // which can wait: for a disk that takes writes again, for who is at work
	}
	return u.look()
}

// tidied is the topic of the destination at which nothing half done is left.
const tidied = "tidied"

// untidy lets the next check remove what is left at the destination, and not only the next update or start.
func (u *update) untidy() { u.m.again(u.Name, tidied) }

// own makes this update the only one that works on the destination, whatever service or state directory another
// may have, removes what a process left there that was killed, and looks at what is there now.
func (u *update) own() error {
	if u.unlock != nil {
		return nil
	}
	unlock, err := u.Site.Lock()
	if errors.Is(err, install.ErrBusy) {
		return fmt.Errorf("%w: %w", ErrServiceBusy, err)
	}
	if err != nil {
		return err
	}
	u.unlock = unlock
	if err := u.Site.Recover(); err != nil {
		return err
	}
	return u.look()
}

// disown lets others work on the destination.
func (u *update) disown() {
	if u.unlock != nil {
		u.unlock()
		u.unlock = nil
	}
}

// look corrects what is remembered of the service by what is on disk.
func (u *update) look() (err error) {
	if u.st.Destination != u.Site.Destination() {
		// Configured elsewhere now. What was installed there stays there, and is none of ours any more.
		u.st.Destination, u.st.Installed, u.st.Staged = u.Site.Destination(), nil, nil
	}
	if u.present, err = u.Site.Present(); err != nil || !u.present {
		return err
	}
	current, known, err := u.Site.Current()
	switch {
	case err != nil:
		return err
	case known && (u.st.Installed == nil || u.st.Installed.ID != current.ID):
		u.st.Installed, u.corrected = &Installed{Release: current, At: current.Staged}, true
		if s := u.st.Staged; s != nil && s.ID == current.ID {
			u.st.Staged = nil // a failing disk took the switch, and said that it had not
		}
	case !known && u.st.Installed == nil && u.Hash != "":
		u.st.Installed = &Installed{Release: install.Release{Hash: u.Hash}}
	}
	return nil
}

// install runs the part of an update that is visible: from the first before hook to the end of the hold.
// It begins nothing if ctx has ended by now.
func (u *update) install(ctx context.Context, rel install.Release, status hooks.Status) (Result, error) {
	if ctx.Err() != nil {
		return Result{}, &StepError{StepSlot, context.Cause(ctx)}
	}
	abandonable := ctx
	ctx = context.WithoutCancel(ctx)

	from, known, err := u.previous()
	if err != nil {
		return Result{}, &StepError{StepSwitch, err}
	}
	j := &Journal{UpdateID: u.id, Status: status, To: rel, From: from, Chain: names(u.After), By: u.by, Started: u.started}
	if u.by != "" {
		j.Reason, j.Published = u.reason, u.published
		j.Error = RollbackRequest{By: u.by, Reason: u.reason}.cause().Error()
	}
	u.st.Journal, u.st.Unfinished = j, nil // the whole after chain will run now
	if err := u.m.Store.Save(u.st); err != nil {
		u.m.Store.forget(u.Name) // nothing has been done that anybody would have to know of
		return Result{}, &StepError{StepState, err}
	}
	u.log.InfoContext(ctx, "updating", "hash", rel.Hash, "previous_hash", from.Hash)
	if u.present && !known {
		u.log.WarnContext(ctx, "what is at the destination was not installed by dropship: it is moved aside and kept",
			"destination", u.Site.Destination(), "kept_as", from.ID)
	}

	if err := u.before(ctx, j); err != nil {
		return u.giveUp(ctx, j, StepBefore, err)
	}
	if err := u.switchTo(ctx, j); err != nil {
		return u.giveUp(ctx, j, StepSwitch, err)
	}
	if err := u.after(ctx, j); err != nil {
		return u.rollBack(ctx, j, err)
	}
	if err := u.settle(ctx, j); err != nil {
		return Result{}, err
	}
	u.hold(abandonable)
	return Result{Outcome: Updated, UpdateID: j.UpdateID, Hash: rel.Hash, PreviousHash: from.Hash, Took: time.Since(u.started)}, nil
}

// previous returns the release at the destination, as the one that a rollback puts back, and whether it is one
// of ours: zero if there is nothing at the destination.
func (u *update) previous() (r install.Release, known bool, err error) {
	if !u.present {
		return install.Release{}, false, nil
	}
	_, known, err = u.Site.Current()
	switch {
	case err != nil:
		return install.Release{}, false, err
	case known:
		return u.st.Installed.Release, true, nil // look made sure that it is this one
	}
	// It gets a name, so that it is kept and can be put back. Its hash is known only as far as the configuration says.
	r.ID = "found-" + u.id
	if in := u.st.Installed; in != nil && in.ID == "" {
		r.Hash = in.Hash
	}
	return r, false, nil
}

func (u *update) installedHash() string {
	if u.st.Installed == nil {
		return ""
	}
	return u.st.Installed.Hash
}

// settle records a release that is installed and whose hooks have all run, and removes old ones.
func (u *update) settle(ctx context.Context, j *Journal) (err error) {
	defer u.step(StepSettle)(&err)
	u.st.Installed = &Installed{Release: j.To, At: time.Now().UTC(), UpdateID: j.UpdateID}
	u.st.Journal, u.st.Staged, u.st.Failed, u.st.Interrupted = nil, nil, nil, 0
	u.m.attempts.succeeded(u.Service)
	if j.By != "" {
		defer u.keepOut(ctx, j)()
	}
	if err := u.m.Store.Save(u.st); err != nil {
		return &StepError{StepState, err}
	}
	if err := u.Site.Prune(); err != nil {
		// The update is good; a leftover only costs disk. The next check removes what was begun to be removed, and
		// the next update tries the rest again.
		u.untidy()
		u.log.WarnContext(ctx, "cannot remove old releases", "error", err)
	}
	return nil
}
