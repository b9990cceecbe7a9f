//go:build unix

package install

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// openDir opens the directory of that name in root.
func openDir(root *os.Root, name string) (*os.File, error) {
	f, err := openDirIn(root, name)
	switch {
	case errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP):
		return nil, fmt.Errorf("%s must be a directory, for the releases; move it away", filepath.Join(root.Name(), name))
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("uid %d must be able to read %s, where the releases are; run it as the owner, or change that: %w",
			os.Geteuid(), filepath.Join(root.Name(), name), err)
	}
	return f, err
}

func openDirIn(dir *os.Root, name string) (*os.File, error) {
	top, err := dir.Open(".")
	if err != nil {
		return nil, err
	}
	defer top.Close()
	f, err := openAt(top, name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	return f, nil
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
func within(root *roots, name string, f func(dir int, base string) error) error {
	return root.in(name, func(dir *os.Root, base string) error {
		opened, err := dir.Open(".")
		if err != nil {
			return err
		}
		defer opened.Close()
		return f(int(opened.Fd()), base)
	})
}

// Rename renames a to b, whatever is there.
func (r *roots) Rename(a, b string) error {
	return r.link("renameat", a, b, unix.Renameat)
}

// Link gives a the second name b.
func (r *roots) Link(a, b string) error {
	return r.link("linkat", a, b, func(dirA int, baseA string, dirB int, baseB string) error {
		return unix.Linkat(dirA, baseA, dirB, baseB, 0)
	})
}

func (r *roots) link(op, a, b string, call func(dirA int, baseA string, dirB int, baseB string) error) error {
	return within(r, a, func(dirA int, baseA string) error {
		return within(r, b, func(dirB int, baseB string) error {
			if err := call(dirA, baseA, dirB, baseB); err != nil {
				return &os.LinkError{Op: op, Old: a, New: b, Err: err}
			}
			return nil
		})
	})
}

// chown changes the owner of a directory. It is opened first: a name could be anybody's file by now.
func (r *roots) chown(name string, uid, gid int) error {
	return r.in(name, func(dir *os.Root, base string) error {
		f, err := openDirIn(dir, base)
		if err != nil {
			return err
		}
		defer f.Close()
		return f.Chown(uid, gid)
	})
}

// setMode gives a directory that was just made its mode, of which the umask may have taken something.
func setMode(dir *os.Root, base string, mode fs.FileMode) error {
	f, err := openDirIn(dir, base)
	if errors.Is(err, fs.ErrPermission) {
		return dir.Chmod(base, mode) // not root, who could be led to what belongs to others
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Mode().Perm() == mode {
		return err
	}
	return f.Chmod(mode)
}

// openLock opens the lock file in folder, and makes it if it is missing.
func openLock(folder *os.File) (*os.File, error) {
	f, err := openAt(folder, lockName, unix.O_RDWR|unix.O_CREAT, 0o600)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || info.Mode().Perm() == 0o600 {
		return f, err
	}
	return f, f.Chmod(0o600) // whatever the umask
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

// explainInUse has nothing to say: what is open can be renamed.
func explainInUse(err error) error { return err }
