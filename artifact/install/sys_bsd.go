//go:build unix && !linux

package install

import (
	"io/fs"
	"syscall"

	"golang.org/x/sys/unix"
)

func identify(root *roots, name string) (identity, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return identity{}, err
	}
	return identity{Inode: uint64(info.Sys().(*syscall.Stat_t).Ino)}, nil
}

// writable returns why the process cannot make and rename entries in dir.
func writable(dir string) error {
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		return &fs.PathError{Op: "access", Path: dir, Err: err}
	}
	return nil
}
