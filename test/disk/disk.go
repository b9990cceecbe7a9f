//go:build linux

// Package disk makes small file systems of their own, so that tests meet the real errors of real ones: full, over a
// quota, failing under what was written, turned read-only, or without what other file systems can. Needs root.
package disk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A Kind is a kind of file system.
type Kind string

// What mkfs makes on an image, and what needs none.
const (
	Ext4    Kind = "ext4"
	XFS     Kind = "xfs"
	Btrfs   Kind = "btrfs"
	Tmpfs   Kind = "tmpfs"
	Overlay Kind = "overlay" // over directories of the disk that it is made on
	Bindfs  Kind = "bindfs"  // over a directory of that disk, through FUSE: it knows no RENAME_EXCHANGE
)

// Options say what disk to make.
type Options struct {
	Kind   Kind
	Bytes  int64    // 0: small; xfs has at least 300 MiB. Sparse: what is not written takes no room
	Format []string // arguments for mkfs besides, as "-N", "64"
	Mount  []string // mount options besides, as "errors=remount-ro"
	// Thin is how many bytes there really are for all of Bytes, if set. A write beyond succeeds as any other does,
	// and fails later, when the kernel writes it back, as on a thinly provisioned volume that has run out.
	Thin int64
}

// A Disk is a mounted file system that nothing else is on.
type Disk struct {
	Dir    string // where it is mounted
	Device string // "/dev/loop3"; empty without one

	o      Options
	image  string
	thin   string // where what the image is on is mounted; or empty
	filler int
}

// New makes a disk in a directory of the test, and unmounts it at its end, also if the test fails.
func New(t testing.TB, o Options) *Disk {
	t.Helper()
	dir, err := os.MkdirTemp("", "disk")
	if err != nil {
		t.Fatal(err)
	}
	d, err := Make(t.Context(), dir, o)
	if err != nil {
		t.Fatal(errors.Join(err, os.RemoveAll(dir)))
	}
	t.Cleanup(func() {
		if err := errors.Join(d.Unmount(), os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	})
	return d
}

// Make makes a disk in dir, which is on another one and can be removed after Unmount.
func Make(ctx context.Context, dir string, o Options) (*Disk, error) {
	d, err := mount(ctx, dir, o)
	if err != nil {
		return nil, fmt.Errorf("cannot make a disk with %s: %w", o.Kind, err)
	}
	return d, nil
}

// smallest are the sizes that mkfs accepts, with a little room.
var smallest = map[Kind]int64{Ext4: 16 << 20, XFS: 300 << 20, Btrfs: 128 << 20, Tmpfs: 16 << 20}

func mount(ctx context.Context, dir string, o Options) (*Disk, error) {
	d := &Disk{Dir: filepath.Join(dir, "mnt"), o: o}
	if err := os.MkdirAll(d.Dir, 0o755); err != nil {
		return nil, err
	}
	bytes := o.Bytes
	if bytes == 0 {
		bytes = smallest[o.Kind]
	}
	switch o.Kind {
	case Tmpfs:
		options := append([]string{fmt.Sprintf("size=%d", bytes), "mode=755"}, o.Mount...)
		return d, run(ctx, "mount", "-t", "tmpfs", "-o", strings.Join(options, ","), "tmpfs", d.Dir)
	case Overlay:
		lower, upper, work := filepath.Join(dir, "lower"), filepath.Join(dir, "upper"), filepath.Join(dir, "work")
		for _, name := range []string{lower, upper, work} {
			if err := os.Mkdir(name, 0o755); err != nil {
				return nil, err
			}
		}
		options := append([]string{"lowerdir=" + lower, "upperdir=" + upper, "workdir=" + work}, o.Mount...)
		return d, run(ctx, "mount", "-t", "overlay", "-o", strings.Join(options, ","), "overlay", d.Dir)
	case Bindfs:
		below := filepath.Join(dir, "below")
		if err := os.Mkdir(below, 0o755); err != nil {
			return nil, err
		}
		return d, run(ctx, "bindfs", append(o.Mount, below, d.Dir)...)
	}

	if o.Thin > 0 {
		d.thin = filepath.Join(dir, "thin")
		if err := os.Mkdir(d.thin, 0o755); err != nil {
			return nil, err
		}
		if err := run(ctx, "mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%d", o.Thin), "tmpfs", d.thin); err != nil {
			return nil, err
		}
		dir = d.thin
	}
	d.image = filepath.Join(dir, "image")
	err := d.format(ctx, bytes)
	if err == nil {
		err = d.mountImage(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, d.unmountThin())
	}
	return d, nil
}

func (d *Disk) format(ctx context.Context, bytes int64) error {
	if err := os.WriteFile(d.image, nil, 0o600); err != nil {
		return err
	}
	if err := os.Truncate(d.image, bytes); err != nil {
		return err
	}
	format := append([]string{"-q"}, d.o.Format...)
	if d.o.Kind == Ext4 {
		format = append([]string{"-F", "-m", "0"}, format...)
	}
	return run(ctx, "mkfs."+string(d.o.Kind), append(format, d.image)...)
}

func (d *Disk) mountImage(ctx context.Context) error {
	loop, err := attach(d.image)
	if err != nil {
		return err
	}
	defer loop.Close() // the device is given back once nobody has it open or mounted
	args := []string{"-t", string(d.o.Kind)}
	if len(d.o.Mount) > 0 {
		args = append(args, "-o", strings.Join(d.o.Mount, ","))
	}
	d.Device = loop.Name()
	return run(ctx, "mount", append(args, d.Device, d.Dir)...)
}

// Unmount unmounts the disk; one that failed loses what was not written to it. It waits, for half a minute, for others
// who look at the mounts of the machine.
func (d *Disk) Unmount() error { return errors.Join(unmount(d.Dir), d.unmountThin()) }

func (d *Disk) unmountThin() error {
	if d.thin == "" {
		return nil
	}
	return unmount(d.thin)
}

func unmount(dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := within("unmounting "+dir, func() error { return unix.Unmount(dir, 0) })
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("cannot unmount %s: %w", dir, err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("cannot unmount %s: %w", dir, errors.Join(err, unix.Unmount(dir, unix.MNT_DETACH)))
		}
	}
}

// Free returns what is free on the disk for everybody, in bytes.
func (d *Disk) Free() (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(d.Dir, &st); err != nil {
		return 0, fmt.Errorf("cannot tell what is free on %s: %w", d.Dir, err)
	}
	return int64(st.Bavail * uint64(st.Frsize)), nil
}

// Fill takes all but about leave bytes of the disk. It may be called again to take more.
func (d *Disk) Fill(leave int64) error {
	if err := d.settle(); err != nil {
		return err
	}
	for size := int64(1 << 30); size >= 512; {
		free, err := d.Free()
		if err != nil {
			return err
		}
		if free <= leave {
			return nil
		}
		size = min(size, free-leave)
		d.filler++
		f, err := os.OpenFile(filepath.Join(d.Dir, fmt.Sprintf("filler-%d", d.filler)), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			err = errors.Join(unix.Fallocate(int(f.Fd()), 0, 0, size), f.Close())
			if err != nil {
				err = errors.Join(err, os.Remove(f.Name()))
			}
		}
		switch {
		case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EOPNOTSUPP):
			size /= 2
		case err != nil:
			return fmt.Errorf("cannot fill %s: %w", d.Dir, err)
		}
	}
	return nil
}

// settle waits until what was removed is free: XFS does that in the background, unless it is frozen.
func (d *Disk) settle() error {
	if d.o.Kind != XFS {
		return nil
	}
	f, err := os.Open(d.Dir)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, request := range []uint{fiFreeze, fiThaw} {
		if err := unix.IoctlSetInt(int(f.Fd()), request, 0); err != nil {
			return fmt.Errorf("cannot freeze and thaw %s: %w", d.Dir, err)
		}
	}
	return nil
}

// FIFREEZE and FITHAW, _IOWR('X', 119, int) and the next.
const (
	fiFreeze = 0xc0045877
	fiThaw   = 0xc0045878
)

// FillInodes takes all inodes but that many.
func (d *Disk) FillInodes(leave int) error {
	var st unix.Statfs_t
	if err := unix.Statfs(d.Dir, &st); err != nil {
		return err
	}
	for range int(st.Ffree) - leave {
		d.filler++
		if err := os.WriteFile(filepath.Join(d.Dir, fmt.Sprintf("filler-%d", d.filler)), nil, 0o600); err != nil {
			return fmt.Errorf("cannot fill %s: %w", d.Dir, err)
		}
	}
	return nil
}

// Empty gives back what Fill and FillInodes took.
func (d *Disk) Empty() error {
	names, err := filepath.Glob(filepath.Join(d.Dir, "filler-*"))
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
