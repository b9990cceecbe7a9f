//go:build unix

package archive

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// setLinkTime sets the mtime of a symlink itself, which os.Root cannot. Its atime becomes the same: not every
// system lets one of the two be omitted.
func (t *tree) setLinkTime(base string, mtime time.Time) error {
	if mtime.IsZero() {
		return nil
	}
	modified, err := unix.TimeToTimespec(mtime)
	if err != nil {
		return fmt.Errorf("cannot set its time of modification: %w", err)
	}
	d, err := t.parent.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	times := []unix.Timespec{modified, modified}
	if err := unix.UtimesNanoAt(int(d.Fd()), base, times, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("cannot set its time of modification: %w", err)
	}
	return nil
}
