package power

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

const inNamespace = "DROPSHIP_POWER_NAMESPACE"

// Isolate begins this program anew in a mount namespace of its own, unless it has been already: call it first in
// main. Nobody else's namespace then has a copy of what is mounted here, which would keep it alive after it was
// unmounted; and all is unmounted when the program ends, however it does. It needs root.
func Isolate() error {
	if os.Getenv(inNamespace) != "" {
		return os.Unsetenv(inNamespace)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	runtime.LockOSThread() // a namespace is a thread's, and exec makes this thread the only one
	defer runtime.UnlockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("cannot make a mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("cannot make mounts private: %w", err)
	}
	return fmt.Errorf("cannot begin anew in a mount namespace: %w", unix.Exec(self, os.Args, append(os.Environ(), inNamespace+"=yes")))
}
