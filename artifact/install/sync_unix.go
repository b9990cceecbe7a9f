//go:build unix

package install

import "os"

// syncOne makes a file, or the entries of a directory, durable. On macOS that is F_FULLFSYNC.
func syncOne(root *os.Root, name string, _ bool) error {
	f, err := root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
