//go:build !linux

package dropship

import (
	"io/fs"
	"os"
)

// exchange lets the first file take the second's name.
func exchange(a, b string) error { return os.Rename(a, b) }

// preallocate promises nothing here.
func preallocate(*os.File, int64) error { return nil }

// lockFile need not: what is overwritten never was what has the name.
func lockFile(*os.File, bool) (unlock func(), err error) { return func() {}, nil }

// oursAlone cannot tell here.
func oursAlone(fs.FileInfo) bool { return true }

// stampOf knows of none here.
func stampOf(fs.FileInfo) (stamp, bool) { return stamp{}, false }
