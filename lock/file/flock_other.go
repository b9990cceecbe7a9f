//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package file

import (
	"errors"
	"fmt"
	"os"
	"runtime"
)

// lockFile needs flock.
func lockFile(path string) (*os.File, error) {
	return nil, fmt.Errorf("cannot lock %s: lock \"file\" does not work on %s (%w), use lock \"consul\"",
		path, runtime.GOOS, errors.ErrUnsupported)
}

func share(path string) (*os.File, error) { return lockFile(path) }
