package install

import (
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

func spaceOf(dir string) (space, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return space{}, &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	return space{
		fileSystem:   fileSystemOf(dir),
		known:        st.Blocks > 0, // some network file systems do not know
		bytes:        int64(st.Bavail * uint64(st.Frsize)),
		inodes:       int64(st.Ffree),
		limitsInodes: st.Files > 0,
	}, nil
}

// fileSystemOf returns where the file system of dir is mounted, and its device, as far as the kernel tells.
func fileSystemOf(dir string) string {
	unknown := "the file system of " + dir
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, dir, 0, unix.STATX_MNT_ID, &st); err != nil || st.Mask&unix.STATX_MNT_ID == 0 {
		return unknown // before Linux 5.8
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return unknown
	}
	id := strconv.FormatUint(st.Mnt_id, 10)
	for line := range strings.Lines(string(mounts)) {
		// 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw
		mount, super, ok := strings.Cut(line, " - ")
		fields, source := strings.Fields(mount), strings.Fields(super)
		if ok && len(fields) > 4 && len(source) > 1 && fields[0] == id {
			return fmt.Sprintf("%s (%s)", unescape(fields[4]), unescape(source[1]))
		}
	}
	return unknown
}

// unescape undoes the octal escapes of blanks and backslashes in mountinfo.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace
