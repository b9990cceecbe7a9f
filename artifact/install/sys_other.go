//go:build !linux

package install

import (
	"errors"
	"io/fs"
	"os"
)

// exchange is what only Linux has.
func exchange(_ *os.Root, a, b string) error {
	return &os.LinkError{Op: "exchange", Old: a, New: b, Err: errors.ErrUnsupported}
}

// renameNew renames a to b, where nothing may be.
func renameNew(root *os.Root, a, b string) error { return renameChecked(root, a, b) }

// mountPoint reports whether something is mounted at path.
func mountPoint(path string) (bool, error) { return otherDevice(path) }

// syncTree makes everything in root durable.
func syncTree(_ *os.File, root *os.Root) error {
	return fs.WalkDir(root.FS(), ".", func(path string, e fs.DirEntry, err error) error {
		if err != nil || (!e.IsDir() && !e.Type().IsRegular()) {
			return err
		}
		f, err := root.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		if e.IsDir() {
			return syncDir(f)
		}
		return f.Sync()
	})
}
