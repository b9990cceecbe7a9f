package install

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// exchange swaps two names in one step. It is errors.ErrUnsupported where the file system cannot: APFS can, HFS+
// and network volumes cannot.
func exchange(root *roots, a, b string) error {
	return renameatx(root, a, b, unix.RENAME_SWAP)
}

// renameNew renames a to b, where nothing may be.
func renameNew(root *roots, a, b string) error {
	err := renameatx(root, a, b, unix.RENAME_EXCL)
	if !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return renameChecked(root, a, b)
}

func renameatx(root *roots, a, b string, flags uint32) error {
	return within(root, a, func(dirA int, baseA string) error {
		return within(root, b, func(dirB int, baseB string) error {
			err := unix.RenameatxNp(dirA, baseA, dirB, baseB, flags)
			switch {
			case err == nil:
				return nil
			case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.ENOTSUP):
				return &os.LinkError{Op: "renameatx_np", Old: a, New: b, Err: errors.Join(errors.ErrUnsupported, err)}
			default:
				return &os.LinkError{Op: "renameatx_np", Old: a, New: b, Err: err}
			}
		})
	})
}
