//go:build unix

package api

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// noFollow opens no symlink, and waits for nobody at the other end of a fifo.
const noFollow = unix.O_NOFOLLOW | unix.O_NONBLOCK

var errLocked = errors.New("locked")

// flock takes an exclusive lock that ends with the open file, hence also with a process that is killed.
func flock(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EWOULDBLOCK):
			return errLocked
		default:
			return err
		}
	}
}

func funlock(f *os.File) { _ = unix.Flock(int(f.Fd()), unix.LOCK_UN) }

// makeDir makes the directory of the socket.
func makeDir(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	err := os.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil // what is wrong with it, if anything, the next step finds
	}
	if err == nil {
		err = os.Chmod(dir, 0o700) // whatever the umask
	}
	return err
}

// bind makes the socket where nobody else can reach it, in a directory of its own, and moves it to its place with its
// mode. A umask would do, too, but it is the whole process's: files that hooks and updates make meanwhile would get it.
func bind(path string) (*net.UnixListener, error) {
	dir := path + ".new"
	if err := os.RemoveAll(dir); err != nil { // of an agent that was killed just here
		return nil, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o700); err != nil { // whatever the umask
		return nil, err
	}
	made := filepath.Join(dir, "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: made, Net: "unix"})
	if errors.Is(err, syscall.EINVAL) {
		return nil, fmt.Errorf("its path has %d bytes, which is too long for a socket: about 100 are what fits", len(path))
	}
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // Close of the Listener does
	if err = os.Chmod(made, 0o600); err == nil {
		err = os.Rename(made, path)
	}
	if err != nil {
		_ = l.Close() // nobody has it
		return nil, err
	}
	return l, nil
}
