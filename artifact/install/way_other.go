//go:build !linux

package install

import "os"

// openWay opens a directory.
func openWay(path string) (*os.Root, error) { return os.OpenRoot(path) }

// makeWay makes what is missing of a directory.
func makeWay(path string) error { return os.MkdirAll(path, 0o755) }
