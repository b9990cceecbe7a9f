//go:build unix

package install

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// openDir opens the directory of that name in root.
func openDir(root *os.Root, name string) (*os.File, error) {
	top, err := root.Open(".")
	if err != nil {
		return nil, err
	}
	defer top.Close()
	f, err := openAt(top, name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	switch {
	case errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP):
		return nil, fmt.Errorf("%s must be a directory, for the releases; move it away", filepath.Join(root.Name(), name))
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("uid %d must be able to read %s, where the releases are; change its owner or remove it: %w",
			os.Geteuid(), filepath.Join(root.Name(), name), err)
	}
	return f, err
}

// openAt opens name in dir. Unlike os.Root it does not follow a symlink there.
func openAt(dir *os.File, name string, flags int, mode uint32) (*os.File, error) {
	path := filepath.Join(dir.Name(), name)
	for {
		fd, err := unix.Openat(int(dir.Fd()), name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, mode)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return nil, &fs.PathError{Op: "openat", Path: path, Err: err}
		default:
			return os.NewFile(uintptr(fd), path), nil
		}
	}
}

// within calls f with the descriptor of the directory that name is in, and what name is called there. It goes
// through no symlink: nobody may put one in the way between a check of the way and a rename.
func within(root *os.Root, name string, f func(dir int, base string) error) error {
	dir, err := root.Open(".")
	if err != nil {
		return err
	}
	defer func() { dir.Close() }()
	for part := range strings.SplitSeq(filepath.Dir(name), string(filepath.Separator)) {
		next, err := openAt(dir, part, unix.O_RDONLY|unix.O_DIRECTORY, 0)
		if err != nil {
			return err
		}
		dir.Close()
		dir = next
	}
	return f(int(dir.Fd()), filepath.Base(name))
}

// openLock opens the lock file in folder, and makes it if it is missing.
func openLock(folder *os.File) (*os.File, error) {
	return openAt(folder, lockName, unix.O_RDWR|unix.O_CREAT, 0o600)
}

// flock locks f as long as it is open, or until funlock. Another open file, also of this process, is another holder.
func flock(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EWOULDBLOCK):
			return ErrBusy
		default:
			return &fs.PathError{Op: "flock", Path: f.Name(), Err: err}
		}
	}
}

func funlock(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_UN) }

func syncDir(f *os.File) error { return f.Sync() }

// folderModes: permission bits say who can write in a directory.
const folderModes = true

// ownerOf returns the uid that owns what info is about.
func ownerOf(info os.FileInfo) int { return int(info.Sys().(*syscall.Stat_t).Uid) }

// otherDevice reports whether path is on another file system than the directory that it is in.
func otherDevice(path string) (bool, error) {
	here, err := os.Lstat(path)
	if err != nil {
		return false, err
	}
	above, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return false, err
	}
	return here.Sys().(*syscall.Stat_t).Dev != above.Sys().(*syscall.Stat_t).Dev, nil
}
