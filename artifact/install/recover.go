package install

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// Recover makes whole what a killed process left half done: a Switch, a Stage, a Prune. It is for the start
// of an update, before Current is asked, and does nothing where there is nothing to do.
//
// Afterwards a complete release is at the destination, if one was before. A Switch whose
// atomic step was not reached has not happened. One by two renames that was killed between them is
// completed: the new release is in place, as it would be had the switch been one step; should the new
// release be gone, the old one is put back. Stages that were not sealed are removed; sealed releases stay.
func (s *Site) Recover() error {
	d, err := s.open()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		defer d.close()
		_, err = d.settle()
		err = errors.Join(err, d.sweep())
	}
	if err != nil {
		return fmt.Errorf("cannot recover %s: %w", s.o.Destination, s.explain(err))
	}
	return nil
}

// settle completes a switch that was killed, and returns what records does.
func (d *directory) settle() (map[string]record, error) {
	if err := d.settleIntent(); err != nil {
		return nil, err
	}
	all, err := d.records()
	if err != nil {
		return nil, err
	}
	there, present, err := d.identify(d.name)
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		tree, standing, err := d.identify(d.tree(r.ID))
		if err != nil {
			return nil, err
		}
		if !standing {
			continue
		}
		if present && tree.is(there) {
			// The second name of a file that was to be replaced.
			if err := d.root.Remove(d.tree(r.ID)); err != nil {
				return nil, err
			}
			continue
		}
		owner, ok := claim(all, tree)
		if r.is(tree) || !ok {
			continue
		}
		// An exchange was done and what it replaced not filed. Nobody knows that the exchange is on disk.
		if err := renameNew(d.root, d.tree(r.ID), d.tree(owner.ID)); err != nil {
			return nil, err
		}
		if err := d.sync(".", d.path(r.ID), d.path(owner.ID)); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (d *directory) settleIntent() error {
	b, err := d.root.ReadFile(d.path(intentName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var i intent
	err = json.Unmarshal(b, &i)
	foreign := slices.ContainsFunc(i.Adopt, func(path string) bool { return !filepath.IsLocal(path) })
	if err != nil || checkID(i.To) != nil || checkID(i.From) != nil || foreign {
		return fmt.Errorf("%s is damaged; see which of the releases beside it belongs at the destination, "+
			"put it there, and remove the file", d.path(intentName))
	}
	present, err := d.exists(d.name)
	if err != nil {
		return err
	}
	if present {
		err = d.relink(i.Adopt)
	} else {
		err = d.fillGap(i)
	}
	if err != nil {
		return err
	}
	for _, name := range []string{".", d.path(i.From), d.path(i.To)} {
		// Where the destination was not absent, a release may be.
		if err := d.sync(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return d.dropIntent()
}

// fillGap puts a release where the crash between two renames has left none.
func (d *directory) fillGap(i intent) error {
	for _, id := range []string{i.To, i.From} {
		err := renameNew(d.root, d.tree(id), d.name)
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return fmt.Errorf("releases %s and %s are both gone: %w", i.To, i.From, ErrNoRelease)
}

// sweep removes what was never finished, and what was being removed.
func (d *directory) sweep() error {
	entries, err := d.root.ReadDir(d.folder)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), stagePrefix) || strings.HasPrefix(e.Name(), trashPrefix) {
			errs = append(errs, d.removeAll(d.path(e.Name())))
		}
	}
	return errors.Join(append(errs, d.dropMarkers())...)
}
