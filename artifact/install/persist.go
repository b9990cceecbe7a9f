package install

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

func inside(path, dir string) bool {
	return strings.HasPrefix(path, dir+string(filepath.Separator))
}

// target is what the link at path in a release says. It is relative, so that the destination and the folder
// beside it can be moved together, and only right while the release is at the destination.
func (d *directory) target(path string) string {
	up := strings.Repeat(".."+string(filepath.Separator), strings.Count(path, string(filepath.Separator))+1)
	return up + d.path(persistName, path)
}

// checkWay refuses a persistent path that leads through a symlink below top. The application may have put one
// there, and os.Root follows it to whatever else is in the parent directory: the data of other services.
func (d *directory) checkWay(top, path string) error {
	parts := strings.Split(path, string(filepath.Separator))
	for _, part := range parts[:len(parts)-1] {
		top = filepath.Join(top, part)
		info, err := d.root.Lstat(top)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // and nothing below it
		case err != nil:
			return err
		case !info.IsDir():
			return fmt.Errorf("%s must be a directory itself (it is %s): persist a path that leads through no link or file",
				filepath.Join(d.root.Name(), top), info.Mode())
		}
	}
	return nil
}

func (d *directory) isLink(name, target string) bool {
	text, err := d.root.Readlink(name)
	return err == nil && text == target
}

// kept reports whether path has its place in persist. A link there that says what the link in a release
// says is only the preparation of an adoption; any other link is an administrator's, who has moved the data.
func (d *directory) kept(path string) (bool, error) {
	name := d.path(persistName, path)
	if d.isLink(name, d.target(path)) {
		return false, nil
	}
	return d.exists(name)
}

// link makes every persistent path of the tree in folder a link, and sets aside what the release has there itself.
func (d *directory) link(folder string) error {
	if len(d.persist) == 0 {
		return nil
	}
	info, err := d.root.Lstat(d.tree(folder))
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return errors.New("persistent paths are in directories, and this release is a single file")
	}
	for _, path := range d.persist {
		if err := d.linkPath(folder, path); err != nil {
			return fmt.Errorf("cannot persist %s: %w", path, err)
		}
	}
	return nil
}

func (d *directory) linkPath(folder, path string) error {
	if err := d.checkWay(d.tree(folder), path); err != nil {
		return err
	}
	name := filepath.Join(d.tree(folder), path)
	if d.isLink(name, d.target(path)) {
		return nil
	}
	there, err := d.exists(name)
	if err != nil {
		return err
	}
	if there {
		own := d.path(folder, "own", path)
		if err := d.removeAll(own); err != nil {
			return err
		}
		if err := d.mkdirAll(filepath.Dir(own), d.mkdirOurs); err != nil {
			return err
		}
		if err := renameNew(d.root, name, own); err != nil {
			return err
		}
	}
	if err := d.mkdirAll(filepath.Dir(name), d.mkdirOwned); err != nil {
		return err
	}
	if err := d.root.Symlink(d.target(path), name); err != nil {
		return err
	}
	return d.sync(filepath.Dir(name))
}

// dropUnneeded removes what the release in folder has itself for paths that are kept already.
func (d *directory) dropUnneeded(folder string) error {
	for _, path := range d.persist {
		kept, err := d.kept(path)
		if err != nil {
			return err
		}
		if kept {
			if err := d.removeAll(d.path(folder, "own", path)); err != nil {
				return err
			}
		}
	}
	return nil
}

// settlePersist gives every persistent path its place: once, at the first switch that knows of it.
func (d *directory) settlePersist(id string, adopt bool) error {
	for _, path := range d.persist {
		kept, err := d.kept(path)
		if err == nil && !kept {
			err = d.place(id, path, adopt)
		}
		if err != nil {
			return fmt.Errorf("cannot persist %s: %w", path, err)
		}
	}
	return nil
}

// place takes path from the destination, else from release id, else makes an empty directory.
func (d *directory) place(id, path string, adopt bool) error {
	if err := d.checkWay(d.path(persistName), path); err != nil {
		return err
	}
	if adopt {
		if err := d.checkWay(d.name, path); err != nil {
			return err
		}
	}
	name := d.path(persistName, path)
	if err := d.mkdirOurs(d.path(persistName)); err != nil {
		return err
	}
	if err := d.mkdirAll(filepath.Dir(name), d.mkdirOwned); err != nil {
		return err
	}
	if adopt {
		info, err := d.root.Lstat(filepath.Join(d.name, path))
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return err
		case info.IsDir() || info.Mode().IsRegular():
			return d.adopt(path)
		case info.Mode()&fs.ModeSymlink == 0:
			return fmt.Errorf("at the destination it is neither a directory nor a file (%s)", info.Mode().Type())
		case !d.isLink(filepath.Join(d.name, path), d.target(path)):
			return d.adoptLink(path)
		}
	}
	if err := d.dropMarker(path); err != nil {
		return err
	}
	own := d.path(id, "own", path)
	there, err := d.exists(own)
	if err != nil {
		return err
	}
	if !there {
		// It is made beside its place, so that a crash leaves none there with the wrong owner.
		own = d.path(stagePrefix + "persist")
		if err := d.removeAll(own); err != nil {
			return err
		}
		if err := d.mkdirOwned(own); err != nil {
			return err
		}
	}
	if err := renameNew(d.root, own, name); err != nil {
		return err
	}
	crashPoint("persistent path made")
	return d.sync(filepath.Dir(name))
}
