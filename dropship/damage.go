package dropship

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/dropship/dropship/artifact/install"
	"github.com/dropship/dropship/hooks"
)

// asideLimit bounds the damaged files that are kept of a service; the oldest goes first.
const asideLimit = 8

// errUnknownUpdate is why the after chain runs of a service whose state was lost in both of its files.
var errUnknownUpdate = errors.New("the state was damaged, and an update may have been interrupted")

// What the log says of a state that is lost.
const (
	lostBoth = "state file and its copy damaged" + rebuilt
	lostCopy = "state file missing and its copy damaged" + rebuilt
	rebuilt  = ": set aside, and rebuilt from what is at the destination; " +
		"what was quarantined is forgotten, and the after hooks run in case an update was interrupted"
)

// restore loads what is known of the service, and mends what is damaged on disk: a state that could not be saved is
// saved, a damaged file is set aside and written anew from its copy, as one that is gone is. If both are damaged, the
// state is rebuilt from what is at the destination. What nobody can know then is whether an update was interrupted,
// so that the application may stand still: the journal of the new state has the whole after chain run.
//
// A damaged copy alone is what a first state leaves that was not saved to its end. As long as nothing is at the
// destination there is nothing that could be lost; else it is taken for what is left of a state whose file is gone.
//
// Nothing is done by halves: until the new state is on disk the damaged one stays, and the next try finds it.
func (u *update) restore(ctx context.Context) error {
	store := u.m.Store
	st, damage, err := store.loadLatest(u.Name)
	lost := errors.Is(err, ErrDamaged)
	if err != nil && !lost {
		return err
	}
	u.st = st
	gone := false
	if missing(damage) && !store.remembers(u.Name) {
		if _, _, damage = readState(copyOf(store.path(u.Name)), u.Name); damage == nil {
			return u.saveMissing(ctx)
		}
		present, err := u.Site.Present()
		if err != nil {
			return err
		}
		if lost = present && errors.Is(damage, ErrDamaged); !lost {
			return nil // there never was a state
		}
		gone = true
	}
	if !errors.Is(damage, ErrDamaged) {
		return store.saveLatest(st)
	}
	kept, err := store.setAside(u.Name, lost)
	if err != nil {
		return fmt.Errorf("cannot set the damaged state of service %s aside: %w", u.Name, err)
	}
	log := u.log.With("error", damage, "kept_as", strings.Join(kept, " "))
	if !lost {
		if err := store.spare(u.Name); err != nil {
			return fmt.Errorf("cannot mend the state of service %s: %w", u.Name, err)
		}
		// Said before it is saved: whether that works or not, nobody finds the damage again.
		log.ErrorContext(ctx, "state file damaged: set aside, and written anew from its copy; nothing is lost")
		return store.Save(u.st)
	}
	if err := u.rebuild(); err != nil {
		return err
	}
	if err := store.Save(u.st); err != nil {
		return err
	}
	if log = log.With("installed", u.installedHash()); gone {
		log.ErrorContext(ctx, lostCopy)
	} else {
		log.ErrorContext(ctx, lostBoth)
	}
	return nil
}

// saveMissing writes a state that is gone anew from its copy.
func (u *update) saveMissing(ctx context.Context) error {
	if err := u.m.Store.spare(u.Name); err != nil {
		return fmt.Errorf("cannot mend the state of service %s: %w", u.Name, err)
	}
	u.log.WarnContext(ctx, "state file missing: written anew from its copy; nothing is lost", "state", u.m.Store.path(u.Name))
	return u.m.Store.Save(u.st)
}

// rebuild makes a state from what is at the destination.
func (u *update) rebuild() error {
	u.st = &State{Version: stateVersion, Service: u.Name}
	if err := u.own(); err != nil || !u.present {
		return err
	}
	var r install.Release
	if in := u.st.Installed; in != nil {
		r = in.Release
	}
	u.st.Journal = &Journal{
		UpdateID: u.id, Status: hooks.StatusFailed, To: r, From: r, Chain: names(u.After),
		Error: errUnknownUpdate.Error(), Started: u.started.UTC(),
	}
	return nil
}

// saveLatest saves what could not be saved before.
func (s *Store) saveLatest(st *State) error {
	if !s.remembers(st.Service) {
		return nil
	}
	return s.Save(st)
}

// setAside gives the damaged file of a service, and its copy as well if that is damaged too, another name, at which
// nothing is yet, and returns those names. The old name stays until a state is saved there: to whom the name is
// missing, there never was an update.
func (s *Store) setAside(service string, both bool) (kept []string, err error) {
	path := s.path(service)
	before, err := s.asides(service)
	if err != nil {
		return nil, err
	}
	paths := []string{path}
	if both {
		paths = append(paths, copyOf(path))
	}
	for _, damaged := range paths {
		info, err := os.Lstat(damaged)
		if missing(err) {
			continue
		}
		if err != nil {
			return kept, err
		}
		if i := slices.IndexFunc(before, func(aside string) bool {
			other, err := os.Lstat(aside)
			return err == nil && os.SameFile(info, other)
		}); i >= 0 {
			kept = append(kept, before[i]) // by an earlier try
			continue
		}
		aside := newAside(path)
		if err := os.Link(damaged, aside); err != nil {
			// A directory, or a file system without links.
			if err := os.Rename(damaged, aside); err != nil {
				return kept, err
			}
			if info.IsDir() {
				// An empty file is damaged as well, and tells the next try of it.
				if err := os.WriteFile(damaged, nil, 0o600); err != nil {
					return kept, err
				}
			}
		}
		if info.Mode().IsRegular() {
			if err := os.Chmod(aside, 0o600); err != nil {
				return kept, err
			}
		}
		kept = append(kept, aside)
	}
	for _, old := range before[:max(0, min(len(before), len(before)+len(kept)-asideLimit))] {
		if !slices.Contains(kept, old) {
			_ = os.Remove(old) // a directory that somebody has put there and that is not empty stays
		}
	}
	return kept, syncDir(s.dir)
}

// asides returns what was set aside of a service, oldest first.
func (s *Store) asides(service string) ([]string, error) {
	entries, err := os.ReadDir(s.dir) // sorted by name, hence by time
	name := regexp.MustCompile("^" + regexp.QuoteMeta(service) + `\.json\.corrupt-\d{8}T\d{6}Z-[0-9a-f]{8}$`)
	var asides []string
	for _, e := range entries {
		if name.MatchString(e.Name()) {
			asides = append(asides, filepath.Join(s.dir, e.Name()))
		}
	}
	return asides, err
}
