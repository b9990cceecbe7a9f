//go:build unix

package dropship

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// noFollow opens no symlink, and waits for nobody at the other end of a fifo.
const noFollow = unix.O_NOFOLLOW | unix.O_NONBLOCK

// onlyOurs reports why somebody else could change what is in a directory of our own.
func onlyOurs(info fs.FileInfo) error {
	uid := os.Geteuid()
	switch st, ok := info.Sys().(*syscall.Stat_t); {
	case !info.IsDir():
		return fmt.Errorf("it is no directory (%s); move it away, or set another stateDir", info.Mode())
	case ok && int(st.Uid) != uid:
		return fmt.Errorf("%w: it belongs to uid %d, and this process runs as uid %d; run it as the owner, give the directory to this user (chown), or set another stateDir", fs.ErrPermission, st.Uid, uid)
	case info.Mode().Perm()&0o022 != 0:
		return fmt.Errorf("others can write in it (mode %#o); chmod go-w it if you trust what is in it", info.Mode().Perm())
	}
	return nil
}

func funlock(f *os.File) { _ = unix.Flock(int(f.Fd()), unix.LOCK_UN) }

// flock takes an exclusive lock that ends with the open file, hence also with a process that is killed.
func flock(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EWOULDBLOCK):
			return ErrServiceBusy
		default:
			return err
		}
	}
}
