//go:build unix

package install

import (
	"os"
	"path/filepath"
	"syscall"
)

func syncDir(f *os.File) error { return f.Sync() }

// folderModes: permission bits say who can write in a directory.
const folderModes = true

// ownerOf returns the uid that owns what info is about.
func ownerOf(info os.FileInfo) int { return int(info.Sys().(*syscall.Stat_t).Uid) }

// otherDevice reports whether path is on another file system than the directory that it is in.
func otherDevice(path string) (bool, error) {
	here, err := os.Lstat(path)
	if err != nil {
		return false, err
	}
	above, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return false, err
	}
	return here.Sys().(*syscall.Stat_t).Dev != above.Sys().(*syscall.Stat_t).Dev, nil
}
