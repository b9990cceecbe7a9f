package install

import (
	"errors"
	"os"
)

// syncOne makes a file durable. Windows flushes only what is open for writing, and opens no read-only file so.
// It has no way to flush a directory.
func syncOne(root *os.Root, name string, dir bool) (err error) {
	if dir {
		return nil
	}
	info, err := root.Lstat(name)
	if err != nil {
		return err
	}
	if info.Mode()&0o200 == 0 {
		if err := root.Chmod(name, 0o600); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, root.Chmod(name, info.Mode())) }()
	}
	f, err := root.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
