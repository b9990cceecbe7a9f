package install

import (
	"errors"
	"fmt"
	"io/fs"
)

// Prune removes all but the Keep newest previous releases; of the same bytes, which were installed more than once, it
// leaves one, so that they take no other's place. It never removes the current one, persistent paths, nor what a Switch
// found at the destination and kept: its Hash is empty, so nobody could fetch it again. It goes on after an error, so that one bad release does not fill the disk with others. What it could not remove
// is a release no more, and tried again by Recover.
func (s *Site) Prune() error {
	d, err := s.open()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		defer d.close()
		err = d.prune(max(s.o.Keep, 0))
	}
	if err != nil {
		return fmt.Errorf("cannot prune the releases of %s: %w", s.o.Destination, s.explain(err))
	}
	return nil
}

func (d *directory) prune(keep int) error {
	all, err := d.settle()
	if err != nil {
		return err
	}
	whole, current, err := d.whole()
	if err != nil {
		return err
	}
	kept := map[string]bool{all[current].Hash: true}
	// A release that has no files any more, since its destination was removed by hand, is not among the whole.
	doomed := all
	delete(doomed, current)
	for _, r := range whole {
		switch {
		case r.ID == current:
		case r.Hash == "":
			delete(doomed, r.ID)
		case keep > 0 && !kept[r.Hash]:
			delete(doomed, r.ID)
			kept[r.Hash] = true
			keep--
		}
	}
	var errs []error
	for id := range doomed {
		errs = append(errs, d.trash(id))
	}
	return errors.Join(errs...)
}

// trash removes a release. It gets another name first: a crash must not leave half a release that looks whole.
func (d *directory) trash(id string) error {
	name := d.path(trashPrefix + id)
	if err := d.removeAll(name); err != nil {
		return err
	}
	// Its tree may have been filed there and not be on disk yet: one that a power loss puts back where it was, without
	// the release that claims it, would be nobody's.
	err := d.sync(d.path(id))
	if err == nil {
		err = d.root.Rename(d.path(id), name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := d.sync(d.folder); err != nil {
		return err
	}
	crashPoint("renamed to trash")
	return d.removeAll(name)
}
