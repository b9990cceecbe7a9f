package install

import (
	"io/fs"
	"os"
)

// syncEach makes everything in root durable where no system call does so for a whole file system: it calls sync with
// each file and each directory, what is in a directory after the directory.
func syncEach(root *os.Root, sync func(root *os.Root, name string, dir bool) error) error {
	return fs.WalkDir(root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || (!e.IsDir() && !e.Type().IsRegular()) {
			return err // a symlink is durable with its directory
		}
		return sync(root, name, e.IsDir())
	})
}
