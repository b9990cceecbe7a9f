package install

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// exchange swaps two names in one step. It is errors.ErrUnsupported where the file system cannot.
func exchange(root *roots, a, b string) error {
	return rename2(root, a, b, unix.RENAME_EXCHANGE)
}

// renameNew renames a to b, where nothing may be.
func renameNew(root *roots, a, b string) error {
	err := rename2(root, a, b, unix.RENAME_NOREPLACE)
	if !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return renameChecked(root, a, b)
}

func rename2(root *roots, a, b string, flags uint) error {
	return within(root, a, func(dirA int, baseA string) error {
		return within(root, b, func(dirB int, baseB string) error {
			err := unix.Renameat2(dirA, baseA, dirB, baseB, flags)
			switch {
			case err == nil:
				return nil
			case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.ENOTSUP):
				// EINVAL is also what a kernel says that does not know the flag on this file system.
				return &os.LinkError{Op: "renameat2", Old: a, New: b, Err: errors.Join(errors.ErrUnsupported, err)}
			default:
				return &os.LinkError{Op: "renameat2", Old: a, New: b, Err: err}
			}
		})
	})
}

func identify(root *roots, name string) (identity, error) {
	var st unix.Statx_t
	err := within(root, name, func(dir int, base string) error {
		err := unix.Statx(dir, base, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_INO|unix.STATX_BTIME, &st)
		if err != nil {
			return &fs.PathError{Op: "statx", Path: name, Err: err}
		}
		return nil
	})
	if err != nil {
		return identity{}, err
	}
	id := identity{Inode: st.Ino}
	if st.Mask&unix.STATX_BTIME != 0 {
		id.Born = st.Btime.Sec*1e9 + int64(st.Btime.Nsec)
	}
	return id, nil
}

// mountPoint reports whether something is mounted at path, bind mounts included.
func mountPoint(path string) (bool, error) {
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_TYPE, &st); err != nil {
		return false, &fs.PathError{Op: "statx", Path: path, Err: err}
	}
	if st.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT != 0 {
		return st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0, nil
	}
	return otherDevice(path) // before Linux 5.8
}

// writable returns why the process cannot make and rename entries in dir.
func writable(dir string) error {
	if err := unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
		return &fs.PathError{Op: "access", Path: dir, Err: err}
	}
	return nil
}

// syncTree makes everything in the tree durable, with one call for the whole file system: a release may have
// 100,000 files, and as many fsyncs take minutes on a rotating disk. It fails if any write to the file system has
// failed since top, the tree's directory, was opened.
func syncTree(top *os.File, _ *os.Root) error {
	if err := unix.Syncfs(int(top.Fd())); err != nil {
		return &fs.PathError{Op: "syncfs", Path: top.Name(), Err: err}
	}
	return nil
}
