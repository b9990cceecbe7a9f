//go:build !linux

package install

import "os"

// mountPoint reports whether something is mounted at path.
func mountPoint(path string) (bool, error) { return otherDevice(path) }

// syncTree makes everything in root durable.
func syncTree(_ *os.File, root *os.Root) error { return syncEach(root, syncOne) }
