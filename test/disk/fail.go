//go:build linux

package disk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"
)

// shutdown is EXT4_IOC_SHUTDOWN and XFS_IOC_GOINGDOWN, _IOR('X', 125, __u32).
const shutdown = 0x8004587d

// shutdownNoLogFlush gives up at once, also what the journal has not on disk yet.
const shutdownNoLogFlush = 2

// Shutdown makes an ext4 or XFS fail as if its device were gone: whatever needs the device is EIO, until it is
// unmounted.
func (d *Disk) Shutdown() error {
	f, err := os.Open(d.Dir)
	if err != nil {
		return err
	}
	defer f.Close()
	how := uint32(shutdownNoLogFlush)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), shutdown, uintptr(unsafe.Pointer(&how))); errno != 0 {
		return fmt.Errorf("cannot shut down %s: %w", d.Dir, errno)
	}
	return nil
}

// TurnReadOnly makes an ext4 that was mounted with errors=remount-ro find an error in itself: it is read-only then,
// also for who has files open, until it is unmounted.
func (d *Disk) TurnReadOnly() error {
	trigger := filepath.Join("/sys/fs/ext4", filepath.Base(d.Device), "trigger_fs_error")
	if err := os.WriteFile(trigger, []byte("1"), 0o200); err != nil {
		return fmt.Errorf("cannot turn %s read-only: %w", d.Dir, err)
	}
	probe := filepath.Join(d.Dir, "filler-probe")
	if err := os.WriteFile(probe, nil, 0o600); !errors.Is(err, unix.EROFS) {
		return fmt.Errorf("cannot turn %s read-only: a write answers %w", d.Dir, errors.Join(err, os.Remove(probe)))
	}
	return nil
}

// Remount unmounts a disk with an image and mounts it again, as after a restart of the machine: a disk that failed
// works again, with what reached it.
func (d *Disk) Remount(ctx context.Context) error {
	if err := unmount(d.Dir); err != nil {
		return err
	}
	return d.mountImage(ctx)
}

// Grow gives a thin disk that many bytes.
func (d *Disk) Grow(bytes int64) error {
	if err := unix.Mount("tmpfs", d.thin, "tmpfs", unix.MS_REMOUNT, fmt.Sprintf("size=%d", bytes)); err != nil {
		return fmt.Errorf("cannot grow what %s is on: %w", d.Dir, err)
	}
	return nil
}
