package dropship

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

const noFollow = 0

// onlyOurs finds nothing: permissions are those of the directory above.
func onlyOurs(fs.FileInfo) error { return nil }

func funlock(*os.File) {} // closing does it

// flock takes an exclusive lock that ends with the open file, hence also with a process that is killed.
func flock(f *os.File) error {
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, new(windows.Overlapped))
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return ErrServiceBusy
	}
	return err
}
