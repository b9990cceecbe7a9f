//go:build unix

package dropship

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

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
