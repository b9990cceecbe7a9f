package dropship

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dropship/dropship/artifact/install"
	"github.com/dropship/dropship/hooks"
)

// ErrNoRelease means that there is no release to go back to, or none of that name.
var ErrNoRelease = errors.New("no such release")

// shortestName is how much of a hash, or of a release's id, names a release.
const shortestName = 4

// A RollbackRequest is what a person wants to be put back.
type RollbackRequest struct {
	To     string // hash or id of a release that is kept, or its first characters; empty: the one before the current one
	By     string // who wants it, "user@host"
	Reason string // why; may be empty
}

// An askedError is why a release was taken away that did not fail by itself.
type askedError struct{ text string }

func (e askedError) Error() string { return e.text }

func (r RollbackRequest) cause() askedError {
	if r.Reason == "" {
		return askedError{"rolled back by " + r.By}
	}
	return askedError{"rolled back by " + r.By + ": " + r.Reason}
}

// Rollback puts a release back that is kept on this machine, because a person wants it: an update like any other,
// through both chains and with a slot, whose hooks get the status "rollback". What was installed until then is kept, and
// quarantined, here and for the group, so that no check installs it again until Retry; and so is what the repository
// holds at that time, if that is something newer still. A pause does not hinder it.
//
// When ctx ends before the first hook has run it is abandoned with nothing changed. If the after chain of the release
// that is put back fails, that is rolled back, and quarantined, in turn. ErrNoRelease: there is none like that. Other errors and outcomes
// are those of Update.
func (s *Service) Rollback(ctx context.Context, m *Machine, req RollbackRequest) (Result, error) {
	return s.work(ctx, m, func(u *update) (Result, error) {
		u.by, u.reason = req.By, req.Reason
		if err := u.own(); err != nil {
			return Result{}, &StepError{StepState, err}
		}
		rel, err := u.kept(req.To)
		if err != nil {
			return Result{}, &StepError{StepRollback, err}
		}
		u.published = u.newest(ctx)
		u.beginUpdate(hooks.StatusRollback, rel.Hash, u.installedHash())
		u.log.InfoContext(ctx, "rolling back, as asked for", "to", rel.Hash, "by", req.By, "reason", req.Reason)
		if err := u.m.Store.Reserve(u.st); err != nil {
			return Result{}, &StepError{StepState, err}
		}
		if u.Turn != nil {
			if u.lease, err = u.acquire(ctx, rel); err != nil {
				return Result{}, &StepError{StepSlot, err}
			}
			if err := u.look(); err != nil {
				return Result{}, &StepError{StepState, err}
			}
		}
		r, err := u.install(ctx, rel, hooks.StatusRollback)
		if r.Outcome == Updated {
			r.Outcome = RolledBack
		}
		return r, err
	})
}

// keeps returns why there is no release that a person means, or nil. It changes nothing.
func (s *Service) keeps(m *Machine, name string) error {
	st, err := m.Store.Load(s.Name)
	if err != nil {
		return &StepError{StepState, err}
	}
	u := &update{Service: s, m: m, st: st}
	if err = u.look(); err == nil {
		_, err = u.kept(name)
	}
	if err != nil {
		return &StepError{StepRollback, err}
	}
	return nil
}

// kept returns the release that a person means.
func (u *update) kept(name string) (install.Release, error) {
	all, err := u.Site.Releases()
	if err != nil {
		return install.Release{}, err
	}
	current, known, err := u.Site.Current()
	if err != nil {
		return install.Release{}, err
	}
	if name != "" {
		return u.named(name, all, current.ID)
	}
	for _, r := range all {
		_, bad := u.st.quarantined("", r.Hash, "")
		same := r.Hash != "" && r.Hash == current.Hash // installed twice
		if r.ID != current.ID && !same && !u.st.neverLive(r) && !bad && (!known || r.Staged.Before(current.Staged)) {
			return r, nil
		}
	}
	return install.Release{}, fmt.Errorf("%w: no release of %s that is older than the current one, and not quarantined, is kept on this machine", ErrNoRelease, u.Name)
}

func (u *update) named(name string, all []install.Release, current string) (install.Release, error) {
	var found []install.Release
	for _, r := range all {
		if len(name) >= shortestName && (strings.HasPrefix(r.Hash, strings.ToLower(name)) || strings.HasPrefix(r.ID, name)) {
			found = append(found, r)
		}
	}
	// The same bytes may have been installed twice.
	if len(found) > 1 && slices.ContainsFunc(found, func(r install.Release) bool { return r.Hash != found[0].Hash }) {
		return install.Release{}, fmt.Errorf("%w: %q is the beginning of several: give more of it (dropship status %s lists them)", ErrNoRelease, name, u.Name)
	}
	switch {
	case len(found) == 0:
		return install.Release{}, fmt.Errorf("%w: no release of %s whose hash or id begins with %q (at least %d characters) is kept on this machine (dropship status %s lists them)", ErrNoRelease, u.Name, name, shortestName, u.Name)
	case slices.ContainsFunc(found, func(r install.Release) bool { return r.ID == current }):
		return install.Release{}, fmt.Errorf("%w to go back to: %s is at the destination", ErrNoRelease, found[0].Hash)
	}
	if q, bad := u.st.quarantined("", found[0].Hash, ""); bad {
		return install.Release{}, fmt.Errorf("%w to go back to: %s (run dropship retry %s first)", ErrNoRelease, q, u.Name)
	}
	return found[0], nil
}

// neverLive reports whether r was only staged so far.
func (st *State) neverLive(r install.Release) bool { return st.Staged != nil && st.Staged.ID == r.ID }

// newest returns what the repository holds, with its hash; nil if that cannot be told.
func (u *update) newest(ctx context.Context) *install.Release {
	asking, cancel := context.WithTimeout(ctx, newestTimeout)
	defer cancel()
	info, err := u.stat(asking)
	r := install.Release{Hash: info.MD5, Revision: info.Revision, Artifact: u.Source.String()}
	if staged, ok, _ := u.staged(info); ok && err == nil {
		r.Hash = staged.Hash
	}
	if in := u.st.Installed; in != nil && err == nil && in.holds(r.Artifact, info) {
		r.Hash = in.Hash
	}
	if err != nil || r.Hash == "" {
		u.log.WarnContext(ctx, "cannot tell what the repository holds: if that is newer than what is taken away now, the next check installs it; pause the service to prevent that", "error", err)
		return nil
	}
	return &r
}

// newestTimeout bounds the question of what the repository holds, which a rollback need not wait for.
const newestTimeout = 5 * time.Second

// keepOut quarantines what a person took away, and what was to come in its place, which the next check would install.
// The function that it returns waits until the group has been told, and is called when that is recorded.
func (u *update) keepOut(ctx context.Context, j *Journal) (wait func()) {
	away := []install.Release{j.From}
	if p := j.Published; p != nil && p.Hash != j.From.Hash && p.Hash != j.To.Hash {
		away = append(away, *p)
	}
	var told []func()
	for _, r := range away {
		if r.Hash == "" {
			u.log.WarnContext(ctx, "what was at the destination has no hash that could be quarantined: pause the service to keep the next check from updating it")
			continue
		}
		told = append(told, u.tell(ctx, u.quarantine(&Journal{UpdateID: j.UpdateID, To: r}, askedError{j.Error})))
	}
	return func() {
		for _, wait := range told {
			wait()
		}
	}
}

// A Kept is a release on this machine that can be put back.
type Kept struct {
	ID          string    `json:"id"`
	Hash        string    `json:"hash"` // md5; empty: what stood there before the first update
	SHA256      string    `json:"sha256,omitempty"`
	Size        int64     `json:"size"` // of the artifact, bytes
	Staged      time.Time `json:"staged"`
	Current     bool      `json:"current"`
	Quarantined bool      `json:"quarantined"`
}

// Releases returns the releases of a service that are kept on this machine, newest first.
func (a *Agent) Releases(name string) ([]Kept, error) {
	l, err := a.loop(name)
	if err != nil {
		return nil, err
	}
	return l.service.releases(a.m)
}

func (s *Service) releases(m *Machine) ([]Kept, error) {
	st, err := m.Store.Load(s.Name)
	if err != nil {
		return nil, &StepError{StepState, err}
	}
	all, err := s.Site.Releases()
	if err != nil {
		return nil, &StepError{StepState, err}
	}
	current, _, err := s.Site.Current()
	if err != nil {
		return nil, &StepError{StepState, err}
	}
	kept := []Kept{}
	for _, r := range all {
		if st.neverLive(r) {
			continue
		}
		_, bad := st.quarantined("", r.Hash, "")
		kept = append(kept, Kept{ID: r.ID, Hash: r.Hash, SHA256: r.SHA256, Size: r.Size, Staged: r.Staged, Current: r.ID == current.ID, Quarantined: bad})
	}
	return kept, nil
}
