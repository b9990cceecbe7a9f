package install

import (
	"fmt"
	"os"
)

// The names that Method returns.
const (
	MethodExchange   = methodExchange
	MethodTwoRenames = methodTwoRenames
)

// Force makes s switch by method, whatever its file system can do.
func Force(s *Site, method string) *Site {
	s.method = method
	return s
}

// OnCrashPoint has f called at every crash point of this process. It is for processes of their own only.
func OnCrashPoint(f func(step string)) { crashPoint = f }

// OnFolderChecked has f called between the check of a folder and its use. It is for processes of their own only.
func OnFolderChecked(f func()) { folderChecked = f }

// FakeReleaseOf makes the release of another identity than the one its files have, as a copy has.
func FakeReleaseOf(s *Site, id string) error {
	d, err := s.open()
	if err != nil {
		return err
	}
	defer d.close()
	all, err := d.records()
	if err != nil {
		return err
	}
	r, ok := all[id]
	if !ok {
		return fmt.Errorf("%s: %w", id, ErrNoRelease)
	}
	r.Inode, r.Born = r.Inode+1_000_000_007, 1
	return d.writeJSON(d.path(id, releaseName), r)
}

// Exchange and RenameNew are the renames that move releases and persistent paths.
var (
	Exchange  = inOne(exchange)
	RenameNew = inOne(renameNew)
)

// RenameChecked is what file systems get that cannot refuse to replace.
var RenameChecked = inOne(renameChecked)

// SyncEach is what makes a release durable on systems without syncfs.
var (
	SyncEach = syncEach
	SyncOne  = syncOne
)

func inOne(rename func(root *roots, a, b string) error) func(root *os.Root, a, b string) error {
	return func(root *os.Root, a, b string) error { return rename(&roots{parent: root}, a, b) }
}
