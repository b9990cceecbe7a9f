package install

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/dropship/dropship/artifact/archive"
)

// A SpaceError says that a file system has no room for a release. It is a syscall.ENOSPC.
type SpaceError struct {
	FileSystem   string // "/srv (/dev/vdb1)": where it is mounted, and the device
	Needed, Free int64  // bytes, or inodes
	Inodes       bool
}

func (e *SpaceError) Error() string {
	needed, free, missing := human(e.Needed), human(e.Free), human(e.Needed-e.Free)
	if e.Inodes {
		needed, free, missing = fmt.Sprintf("%d inodes", e.Needed), fmt.Sprint(e.Free), fmt.Sprint(e.Needed-e.Free)
	}
	return fmt.Sprintf("not enough space on %s: %s needed, %s free, %s missing: free space, or lower keepReleases",
		e.FileSystem, needed, free, missing)
}

func (e *SpaceError) Unwrap() error { return syscall.ENOSPC }

// leastInodes are those of a release's folder, its release.json, and its topmost directory or file.
const leastInodes = 3

// Room returns a *SpaceError if there is no room for an artifact of that size, in bytes as its repository advertises
// it, -1 if it does not. It writes nothing, asks the file system alone, and knows nothing where that does not tell
// (on other systems than Linux).
//
// What is wanted is the least that any such artifact takes, so that none is refused that would fit: its size, since
// unpacked it is hardly ever smaller, and twice that for a zip, which is written down before it is unpacked. What is
// free is what everybody may use: the blocks that a file system reserves for root keep the machine alive, and are
// none of ours. A release that needs more fails while it is unpacked.
func (s *Site) Room(size int64) error {
	dir := filepath.Dir(s.o.Destination)
	// As in checkParent: what is missing will be made there.
	for _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) && filepath.Dir(dir) != dir; _, err = os.Stat(dir) {
		dir = filepath.Dir(dir)
	}
	space, err := spaceOf(dir)
	if err != nil {
		return fmt.Errorf("cannot tell how much space is free for %s: %w", s.o.Destination, err)
	}
	if s.o.Archive.Format == archive.Zip {
		size *= 2
	}
	switch {
	case space.known && size > space.bytes:
		return &SpaceError{FileSystem: space.fileSystem, Needed: size, Free: space.bytes}
	case space.limitsInodes && leastInodes > space.inodes:
		return &SpaceError{FileSystem: space.fileSystem, Needed: leastInodes, Free: space.inodes, Inodes: true}
	}
	return nil
}

// A space is what a file system says of itself.
type space struct {
	fileSystem    string
	known         bool
	bytes, inodes int64 // free for everybody
	limitsInodes  bool  // else it has as many as bytes allow
}

// ExplainDisk adds to an error that a file system answered which one it is and what can be done, and leaves others as
// they are. dir is where it happened.
func ExplainDisk(dir string, err error) error {
	if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) && !errors.Is(err, syscall.EROFS) && !errors.Is(err, syscall.EIO) {
		return err
	}
	if _, ok := errors.AsType[*SpaceError](err); ok {
		return err
	}
	space, serr := spaceOf(dir)
	if serr != nil {
		space.fileSystem = "the file system of " + dir // a disk that is gone does not tell either
	}
	switch {
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: %s is read-only; if it was not mounted so, an error in it turned it: see the kernel's log, repair it and mount it again",
			err, space.fileSystem)
	case errors.Is(err, syscall.EIO):
		return fmt.Errorf("%w: %s or its device fails: see the kernel's log", err, space.fileSystem)
	case errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: a quota on %s is used up: raise it, or lower keepReleases", err, space.fileSystem)
	case !space.known:
		return fmt.Errorf("%w: free space on %s, or lower keepReleases", err, space.fileSystem)
	case space.limitsInodes:
		return fmt.Errorf("%w: %s has %s and %d inodes free: free space, or lower keepReleases", err, space.fileSystem, human(space.bytes), space.inodes)
	default:
		return fmt.Errorf("%w: %s has %s free: free space, or lower keepReleases", err, space.fileSystem, human(space.bytes))
	}
}

// explain is ExplainDisk for the disk of the destination, and says what is in the way where the system does not.
func (s *Site) explain(err error) error {
	return ExplainDisk(filepath.Dir(s.o.Destination), explainInUse(err))
}

// human writes bytes as df -h does: with the unit in which they are short.
func human(bytes int64) string {
	if bytes < 1<<10 {
		return fmt.Sprintf("%d B", bytes)
	}
	value, unit := float64(bytes)/(1<<10), 0
	for value >= 1023.95 && unit < 3 {
		value /= 1 << 10
		unit++
	}
	if value >= 99.95 {
		return fmt.Sprintf("%.0f %s", value, units[unit])
	}
	return fmt.Sprintf("%.1f %s", value, units[unit])
}

var units = [...]string{"KiB", "MiB", "GiB", "TiB"}
