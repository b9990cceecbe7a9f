package trap

import (
	"maps"
	"slices"

	"golang.org/x/sys/unix"
)

// Changes are the calls by which a program changes files, by every name that the kernel has for them.
func Changes() []string { return slices.Sorted(maps.Keys(callNumbers)) }

// The numbers are the same on every architecture that Go calls 64-bit only by name, hence through package unix. The
// older forms without "at" are not on all of them, and the Go runtime uses none.
var callNumbers = map[string]int32{
	"copy_file_range": unix.SYS_COPY_FILE_RANGE,
	"fallocate":       unix.SYS_FALLOCATE,
	"fchmod":          unix.SYS_FCHMOD,
	"fchmodat":        unix.SYS_FCHMODAT,
	"fchmodat2":       unix.SYS_FCHMODAT2,
	"fchown":          unix.SYS_FCHOWN,
	"fchownat":        unix.SYS_FCHOWNAT,
	"fdatasync":       unix.SYS_FDATASYNC,
	"fsync":           unix.SYS_FSYNC,
	"ftruncate":       unix.SYS_FTRUNCATE,
	"linkat":          unix.SYS_LINKAT,
	"mkdirat":         unix.SYS_MKDIRAT,
	"openat":          unix.SYS_OPENAT,
	"pwrite64":        unix.SYS_PWRITE64,
	"renameat":        unix.SYS_RENAMEAT,
	"renameat2":       unix.SYS_RENAMEAT2,
	"symlinkat":       unix.SYS_SYMLINKAT,
	"syncfs":          unix.SYS_SYNCFS,
	"unlinkat":        unix.SYS_UNLINKAT,
	"utimensat":       unix.SYS_UTIMENSAT,
	"write":           unix.SYS_WRITE,
}

var callNames = func() map[int32]string {
	names := make(map[int32]string, len(callNumbers))
	for name, nr := range callNumbers {
		names[nr] = name
	}
	return names
}()
