package power

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"
)

// A FileSystem is one of those that hold destinations and state directories.
type FileSystem struct {
	Name    string
	Size    int64 // of the smallest disk that is wide enough for the tests; what is not written costs nothing
	make    []string
	options string // of mount: none that changes what is durable
}

// The file systems that a machine can have here, as their tools make them by default, except that nothing is left to
// be initialised in the background.
var (
	Ext4  = FileSystem{"ext4", 64 << 20, []string{"mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard"}, ""}
	XFS   = FileSystem{"xfs", 320 << 20, []string{"mkfs.xfs", "-q", "-f", "-K"}, "nouuid"} // copies of one disk are mounted side by side
	Btrfs = FileSystem{"btrfs", 256 << 20, []string{"mkfs.btrfs", "-q", "-f", "-K"}, ""}
)

// Format makes a new file system on the disk, or file, at path.
func (f FileSystem) Format(ctx context.Context, path string) error {
	args := append(f.make[1:len(f.make):len(f.make)], path)
	if out, err := exec.CommandContext(ctx, f.make[0], args...).CombinedOutput(); err != nil {
		return fmt.Errorf("cannot make a file system with %s: %w\n%s", f.make[0], err, out)
	}
	return nil
}

// Mount mounts the file system on the disk, or file, at path. A journal that is found there is replayed.
func (f FileSystem) Mount(path, dir string) error {
	device, err := attach(path)
	if err != nil {
		return fmt.Errorf("cannot make a block device of %s: %w", path, err)
	}
	defer device.Close() // what is mounted keeps it; without that it is gone
	if err := unix.Mount(device.Name(), dir, f.Name, 0, f.options); err != nil {
		return fmt.Errorf("cannot mount %s (%s) at %s: %w", path, f.Name, dir, err)
	}
	return nil
}

// Unmount unmounts what is mounted at dir, once no process that is ending uses it any more.
func Unmount(ctx context.Context, dir string) error {
	for {
		err := unix.Unmount(dir, 0)
		if !errors.Is(err, unix.EBUSY) || ctx.Err() != nil {
			if err != nil {
				return fmt.Errorf("cannot unmount %s: %w", dir, err)
			}
			return nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Shutdown stops the ext4 or xfs that is mounted at dir at this instant: what is not on its device yet, the journal
// included, never will be.
func Shutdown(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	const goingDown, noLogFlush = 0x8004587d, 2 // XFS_IOC_GOINGDOWN and EXT4_IOC_SHUTDOWN are the same
	if err := unix.IoctlSetPointerInt(int(d.Fd()), goingDown, noLogFlush); err != nil {
		return fmt.Errorf("cannot shut down the file system at %s: %w", dir, err)
	}
	return nil
}

// attach returns an opened loop device on path. It is gone when the last user closes it.
func attach(path string) (*os.File, error) {
	// Not by package os: its poller would ask the recorder about the file while it holds what the recorder's own
	// goroutines wait for.
	file, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer func() { _ = unix.Close(file) }()
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer control.Close()
	for {
		number, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, fmt.Errorf("cannot find a free loop device: %w", err)
		}
		device, err := os.OpenFile(fmt.Sprintf("/dev/loop%d", number), os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		config := unix.LoopConfig{Fd: uint32(file), Size: 512}
		config.Info.Flags = unix.LO_FLAGS_AUTOCLEAR
		err = unix.IoctlLoopConfigure(int(device.Fd()), &config)
		if err == nil {
			return device, nil
		}
		device.Close()
		if !errors.Is(err, unix.EBUSY) { // somebody else was faster
			return nil, err
		}
	}
}
