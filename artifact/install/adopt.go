package install

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// adopt moves path out of the destination into persist and leaves a link in its place, so that the application
// that still runs there, and a rollback to it, see the same data. With an exchange the path never disappears.
func (d *directory) adopt(path string) error {
	live, name := filepath.Join(d.name, path), d.path(persistName, path)
	if d.method == methodExchange {
		if !d.isLink(name, d.target(path)) {
			if err := d.root.Symlink(d.target(path), name); err != nil {
				return err
			}
		}
		crashPoint("adoption prepared")
		if err := exchange(d.root, live, name); err != nil {
			return errors.Join(err, d.dropMarker(path))
		}
	} else {
		if err := d.dropMarker(path); err != nil {
			return err
		}
		if err := renameNew(d.root, live, name); err != nil {
			return err
		}
		crashPoint("persistent path away")
		if err := d.root.Symlink(d.target(path), live); err != nil {
			return errors.Join(err, d.root.Rename(name, live))
		}
	}
	crashPoint("adopted")
	return d.sync(filepath.Dir(live), filepath.Dir(name))
}

// adoptLink keeps what a link at the destination leads to where it is: persist gets a link to it too.
func (d *directory) adoptLink(path string) error {
	live := filepath.Join(d.site.o.Destination, path)
	text, err := d.root.Readlink(filepath.Join(d.name, path))
	if err != nil {
		return err
	}
	target := text
	if !filepath.IsAbs(target) {
		target = filepath.Join(filepath.Dir(live), target)
	}
	if target = filepath.Clean(target); target == d.site.o.Destination || inside(target, d.site.o.Destination) {
		return fmt.Errorf("at the destination it is a link to %s, in the release itself; persist that path", text)
	}
	if err := d.dropMarker(path); err != nil {
		return err
	}
	name := d.path(persistName, path)
	if err := d.root.Symlink(target, name); err != nil {
		return err
	}
	return d.sync(filepath.Dir(name))
}

// adoptable returns the persistent paths that a switch will move out of the destination.
func (d *directory) adoptable() ([]string, error) {
	var paths []string
	for _, path := range d.persist {
		kept, err := d.kept(path)
		if err != nil {
			return nil, fmt.Errorf("cannot persist %s: %w", path, err)
		}
		info, err := d.root.Lstat(filepath.Join(d.name, path))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("cannot persist %s: %w", path, err)
		}
		if !kept && err == nil && info.Mode()&fs.ModeSymlink == 0 {
			paths = append(paths, path)
		}
	}
	return paths, nil
}

// relink puts the links in place that a crash during adoptions without exchange has left out.
func (d *directory) relink(paths []string) error {
	for _, path := range paths {
		if err := d.checkWay(d.name, path); err != nil {
			return fmt.Errorf("cannot persist %s: %w", path, err)
		}
		live := filepath.Join(d.name, path)
		there, err := d.exists(live)
		if err != nil {
			return err
		}
		kept, err := d.kept(path)
		if err != nil {
			return err
		}
		if kept && !there {
			if err := d.root.Symlink(d.target(path), live); err != nil {
				return err
			}
			if err := d.sync(filepath.Dir(live)); err != nil {
				return err
			}
		}
	}
	return nil
}

// dropMarkers removes what prepared adoptions that did not take place.
func (d *directory) dropMarkers() error {
	var errs []error
	for _, path := range d.persist {
		errs = append(errs, d.dropMarker(path))
	}
	return errors.Join(errs...)
}

func (d *directory) dropMarker(path string) error {
	name := d.path(persistName, path)
	if !d.isLink(name, d.target(path)) {
		return nil
	}
	return d.root.Remove(name)
}
