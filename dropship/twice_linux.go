package dropship

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// exchange gives two files each other's name in one step. Where the second is missing, or the file system cannot,
// the first takes its name.
func exchange(a, b string) error {
	err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.ENOTSUP):
		return os.Rename(a, b)
	default:
		return &os.LinkError{Op: "renameat2", Old: a, New: b, Err: err}
	}
}

// preallocate takes size bytes of space for a file without making it longer, where the file system can promise it.
func preallocate(f *os.File, size int64) error {
	for {
		err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, size)
		switch {
		case errors.Is(err, unix.EINTR):
		case err == nil, errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.ENOSYS):
			return nil
		default:
			return &fs.PathError{Op: "fallocate", Path: f.Name(), Err: err}
		}
	}
}

// oursAlone reports whether a file belongs to this process's user and has one name.
func oursAlone(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return !ok || st.Nlink == 1 && int(st.Uid) == os.Geteuid()
}

// lockFile waits until nobody writes to the file, and for a writer, until nobody reads it either, and keeps it so
// until unlock is called. Both take a moment.
func lockFile(f *os.File, writer bool) (unlock func(), err error) {
	how := unix.LOCK_SH
	if writer {
		how = unix.LOCK_EX
	}
	for {
		err := unix.Flock(int(f.Fd()), how)
		if err == nil {
			return func() { funlock(f) }, nil
		}
		if !errors.Is(err, unix.EINTR) {
			return nil, &fs.PathError{Op: "flock", Path: f.Name(), Err: err}
		}
	}
}

// stampOf returns the stamp of a file.
func stampOf(info fs.FileInfo) (stamp, bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return stamp{}, false
	}
	return stamp{device: uint64(st.Dev), inode: st.Ino, changed: st.Ctim.Nano()}, true //nolint:unconvert // it has 32 bits on some
}
