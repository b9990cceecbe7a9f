//go:build !linux && !darwin

package install

import (
	"errors"
	"os"
)

// exchange is what only Linux and macOS have.
func exchange(_ *roots, a, b string) error {
	return &os.LinkError{Op: "exchange", Old: a, New: b, Err: errors.ErrUnsupported}
}

// renameNew renames a to b, where nothing may be.
func renameNew(root *roots, a, b string) error { return renameChecked(root, a, b) }
