package install

import (
	"os"
	"syscall"
)

// A stamp is of what has a name, be it a link itself. Another one is there when it was replaced, also by something with
// the inode number that it had, or changed itself: its content, entries, mode or owner. Nobody can set it back.
type stamp struct {
	device, inode uint64
	changed       syscall.Timespec
}

func stampOf(path string) (stamp, bool) {
	info, err := os.Lstat(path)
	if err != nil {
		return stamp{}, false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return stamp{}, false
	}
	return stamp{device: uint64(st.Dev), inode: st.Ino, changed: st.Ctim}, true //nolint:unconvert // it has 32 bits on some
}
