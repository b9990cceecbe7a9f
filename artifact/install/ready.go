package install

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/dropship/dropship/artifact/archive"
)

// Ready reports why nothing can be installed here, and what to do about it. It writes nothing; what it finds
// right can still fail later, for example on a full disk. Stage and Switch ask it first.
func (s *Site) Ready() error {
	if err := s.ready(); err != nil {
		return fmt.Errorf("cannot install to %s: %w", s.o.Destination, s.explain(err))
	}
	return nil
}

func (s *Site) ready() error {
	destination := s.o.Destination
	if !filepath.IsAbs(destination) || filepath.Clean(destination) != destination {
		return errors.New("a destination is an absolute and clean path")
	}
	parent, _, _ := folderOf(destination)
	if parent == destination {
		return errors.New("it has no name that could be switched; install into a directory below it")
	}
	if err := checkParent(parent); err != nil {
		return err
	}
	if err := s.checkDestination(); err != nil {
		return err
	}
	d, err := s.open()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	d.close()
	return nil
}

// checkParent finds the nearest ancestor that exists: it is where Stage has to make directories or names.
func checkParent(parent string) error {
	info, err := os.Stat(parent)
	for (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)) && filepath.Dir(parent) != parent {
		if _, err := os.Lstat(parent); err == nil {
			return fmt.Errorf("%s is a symbolic link that leads nowhere; make the directory that it names", parent)
		}
		parent = filepath.Dir(parent)
		info, err = os.Stat(parent)
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a directory, so nothing can be below it: name another destination, or move it away", parent)
	}
	if err := writable(parent); err != nil {
		return fmt.Errorf("uid %d must be able to write in %s, since releases are staged and renamed there: %w",
			os.Geteuid(), parent, err)
	}
	return nil
}

func (s *Site) checkDestination() error {
	info, err := os.Lstat(s.o.Destination)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	file := s.o.Archive.Format == archive.File
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		return errors.New("it is a symbolic link; name the directory or file it leads to")
	case info.IsDir() && file:
		return errors.New("a plain file never replaces an existing directory; name a file in it, " +
			"or set the artifact's type if it is an archive")
	case info.Mode().IsRegular() && !file:
		return errors.New("it is a file, and an archive unpacks to a directory; name another destination, " +
			"or set type = \"file\" if the artifact is no archive")
	case !info.IsDir() && !info.Mode().IsRegular():
		return fmt.Errorf("it is neither a directory nor a file (%s)", info.Mode().Type())
	}
	mounted, err := mountPoint(s.o.Destination)
	if err != nil {
		return err
	}
	if mounted {
		return errors.New("it is a mount point, which cannot be renamed; install into a directory below it")
	}
	return nil
}
