package install

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

func identify(root *roots, name string) (identity, error) {
	f, err := root.Open(name)
	if err != nil {
		return identity{}, err
	}
	defer f.Close()
	var info windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(windows.Handle(f.Fd()), &info); err != nil {
		return identity{}, err
	}
	return identity{
		Inode: uint64(info.FileIndexHigh)<<32 | uint64(info.FileIndexLow),
		Born:  info.CreationTime.Nanoseconds(),
	}, nil
}

// openDir opens the directory of that name in root.
func openDir(root *os.Root, name string) (*os.File, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s must be a directory, for the releases; move it away", filepath.Join(root.Name(), name))
	}
	return root.Open(name)
}

// Rename renames a to b, whatever is there.
func (r *roots) Rename(a, b string) error {
	return os.Rename(filepath.Join(r.Name(), a), filepath.Join(r.Name(), b))
}

// Link gives a the second name b.
func (r *roots) Link(a, b string) error {
	return os.Link(filepath.Join(r.Name(), a), filepath.Join(r.Name(), b))
}

// openLock opens the lock file in folder, and makes it if it is missing.
func openLock(folder *os.File) (*os.File, error) {
	return os.OpenFile(filepath.Join(folder.Name(), lockName), os.O_RDWR|os.O_CREATE, 0o600)
}

// flock locks f as long as it is open, or until funlock. Another open file, also of this process, is another holder.
func flock(f *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, new(windows.Overlapped))
	switch {
	case err == nil:
		return nil
	case errors.Is(err, windows.ERROR_LOCK_VIOLATION):
		return ErrBusy
	default:
		return &fs.PathError{Op: "LockFileEx", Path: f.Name(), Err: err}
	}
}

func funlock(f *os.File) error {
	return windows.UnlockFileEx(windows.Handle(f.Fd()), 0, 1, 0, new(windows.Overlapped))
}

// Windows cannot flush a directory, has no uids, mounts with drive letters, and tells at the first write
// what it allows.
func syncDir(*os.File) error           { return nil }
func ownerOf(os.FileInfo) int          { return os.Geteuid() }
func otherDevice(string) (bool, error) { return false, nil }
func writable(string) error            { return nil }

func (r *roots) chown(string, int, int) error     { return nil }
func setMode(*os.Root, string, fs.FileMode) error { return nil }

const folderModes = false

// explainInUse says what may be in the way of a rename: what a process has open stays where it is.
func explainInUse(err error) error {
	if !errors.Is(err, windows.ERROR_SHARING_VIOLATION) && !errors.Is(err, windows.ERROR_ACCESS_DENIED) {
		return err
	}
	return fmt.Errorf("%w: a process may have a file in it open, or be in its directory, and Windows renames nothing that is open: "+
		"stop the application in a before hook, and wait there until it has ended", err)
}
