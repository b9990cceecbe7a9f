package api

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/windows"
)

const noFollow = 0

var errLocked = errors.New("locked")

// flock takes an exclusive lock that ends with the open file, hence also with a process that is killed.
func flock(f *os.File) error {
	// Behind what is in the file, which others may read.
	at := &windows.Overlapped{Offset: 1 << 20}
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return errLocked
	}
	return err
}

func funlock(*os.File) {} // closing does it

// onlyAdministrators gives all rights to the system, the administrators and the owner, inherits none, and hands them on.
const onlyAdministrators = "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;OW)"

// makeDir makes the directory of the socket, whose rights are what keeps others away: a socket has no mode here.
func makeDir(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	rights, err := windows.SecurityDescriptorFromString(onlyAdministrators)
	if err != nil {
		return err
	}
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return err
	}
	err = windows.CreateDirectory(name, &windows.SecurityAttributes{Length: uint32(unsafe.Sizeof(windows.SecurityAttributes{})), SecurityDescriptor: rights})
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

func bind(path string) (*net.UnixListener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // Close of the Listener does
	return l, nil
}
