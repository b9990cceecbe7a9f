package install

import (
	"errors"
	"fmt"
	"io/fs"
)

// Remove removes a release that is not wanted any more, for instance one that was staged and never switched
// in. A release that is not there is no error; the one at the destination is never removed.
func (s *Site) Remove(id string) error {
	d, err := s.open()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		defer d.close()
		err = d.remove(id)
	}
	if err != nil {
		return fmt.Errorf("cannot remove release %s of %s: %w", id, s.o.Destination, s.explain(err))
	}
	return nil
}

func (d *directory) remove(id string) error {
	if err := checkID(id); err != nil {
		return err
	}
	if _, err := d.settle(); err != nil {
		return err
	}
	_, current, err := d.whole()
	if err != nil {
		return err
	}
	if id == current {
		return errors.New("it is at the destination")
	}
	return d.trash(id)
}
