//go:build linux

package install_test

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropship/dropship/artifact/archive"
	"github.com/dropship/dropship/artifact/install"
	"github.com/dropship/dropship/test/disk"
)

// small are disks on which a release of a few hundred KiB is large.
var small = []disk.Options{
	{Kind: disk.Ext4, Bytes: 4 << 20, Format: []string{"-b", "1024"}},
	{Kind: disk.XFS},
	{Kind: disk.Tmpfs, Bytes: 2 << 20},
}

// eachDisk runs f on every small disk, with both methods.
func eachDisk(t *testing.T, f func(t *testing.T, d *disk.Disk, method string)) {
	for _, o := range small {
		for _, method := range methods {
			t.Run(fmt.Sprintf("%s by %s", o.Kind, method), func(t *testing.T) {
				t.Parallel()
				f(t, disk.New(t, o), method)
			})
		}
	}
}

func siteOn(d *disk.Disk, method string, persist ...string) *install.Site {
	o := options(filepath.Join(d.Dir, "srv", "app"))
	o.Keep, o.Persist = 1, persist
	return install.Force(install.New(o), method)
}

func fill(t testing.TB, d *disk.Disk, leave int64) {
	t.Helper()
	if err := d.Fill(leave); err != nil {
		t.Fatal(err)
	}
}

func empty(t testing.TB, d *disk.Disk) {
	t.Helper()
	if err := d.Empty(); err != nil {
		t.Fatal(err)
	}
}

// attempt is one update as a service makes it: it recovers, stages, discards what fails, switches, prunes.
func attempt(t testing.TB, s *install.Site, id, from string, packed []byte) error {
	t.Helper()
	unlock, err := s.Lock()
	if err != nil {
		return err
	}
	defer unlock()
	if err := s.Recover(); err != nil {
		return err
	}
	st, err := s.Stage(id)
	if err != nil {
		return err
	}
	_, err = st.Unpack(t.Context(), bytes.NewReader(packed))
	if err == nil {
		_, err = st.Seal(install.Release{Hash: "hash of " + id})
	}
	if err != nil {
		return errors.Join(err, st.Discard())
	}
	if err := s.Switch(id, from); err != nil {
		return errors.Join(err, st.Discard())
	}
	return s.Prune()
}

// Whatever step finds the disk full, the old release stays as it was, the error names the disk, nothing is left over,
// and the same update succeeds once there is space. The disk has a little more room each time, until all fits.
func TestDiskFullAtAnyStep(t *testing.T) {
	before := files{"version": "1", "data/db": "live"}
	after := files{"version": "2", "data/db": "live", "lib/big": strings.Repeat("x", 300<<10), "a/b/c/d": "deep"}
	packed := files{"version": "2", "data/db": "seed", "lib/big": after["lib/big"], "a/b/c/d": "deep"}
	eachDisk(t, func(t *testing.T, d *disk.Disk, method string) {
		big := tarball(t, packed)
		failed, spaces := map[string]int{}, 0
		for leave := int64(0); ; spaces++ {
			s := siteOn(d, method, "data")
			write(t, filepath.Join(s.Destination(), "version"), "1")
			write(t, filepath.Join(s.Destination(), "data", "db"), "live")
			fill(t, d, leave)
			err := attempt(t, s, "new", "found", big)
			if err == nil {
				wantContents(t, s.Destination(), after)
				break
			}
			step, _, _ := strings.Cut(err.Error(), s.Destination())
			failed[step]++
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("with %d bytes left: got %v, want ENOSPC", leave, err)
			}
			wantDiskNamed(t, d, err)
			wantContents(t, s.Destination(), before)
			if step != "cannot lock " { // which made no folder
				wantNoLeftovers(t, s)
			}
			empty(t, d)
			if err := attempt(t, s, "new", "found", big); err != nil {
				t.Fatalf("with space again, after %v: %v", err, err)
			}
			wantContents(t, s.Destination(), after)
			wantNoLeftovers(t, s)
			removeAll(t, filepath.Dir(s.Destination()))
			if leave < 16<<10 {
				leave += 1 << 10 // the first steps take little
			} else {
				leave += 24 << 10
			}
		}
		t.Logf("failed at %v", failed)
		if spaces < 5 || failed["cannot unpack beside "] == 0 {
			t.Errorf("the disk was full at %v only", failed)
		}
	})
}

// wantDiskNamed wants the mount point and the device in err, and what can be done.
func wantDiskNamed(t testing.TB, d *disk.Disk, err error) {
	t.Helper()
	device := d.Device
	if device == "" {
		device = "tmpfs"
	}
	if name := fmt.Sprintf("%s (%s)", d.Dir, device); !strings.Contains(err.Error(), name) {
		t.Errorf("got %v, want %s in it", err, name)
	}
}

// Switching back needs next to nothing, and where it does not get it nothing has happened.
func TestSwitchOnFullDisk(t *testing.T) {
	eachDisk(t, func(t *testing.T, d *disk.Disk, method string) {
		s := siteOn(d, method)
		update(t, s, "one", "", files{"version": "1"})
		update(t, s, "two", "one", files{"version": "2"})
		fill(t, d, 0)
		live, switched := "two", 0
		for _, next := range []string{"one", "two", "one"} {
			if method == install.MethodExchange {
				s = install.New(s.Options()) // a new process, which has to find out how to switch
			}
			err := s.Switch(next, live)
			switch {
			case err == nil:
				switched++
				live = next
			case !errors.Is(err, syscall.ENOSPC):
				t.Fatalf("got %v, want ENOSPC or nothing", err)
			default:
				t.Log(err)
				wantDiskNamed(t, d, err)
			}
			wantCurrent(t, s, live)
			wantNoLeftovers(t, s)
		}
		if method == install.MethodExchange && switched < 3 {
			t.Errorf("%d of 3 exchanges succeeded", switched)
		}
		// Pruning frees space: it must not need any.
		s2 := s.Options()
		s2.Keep = 0
		if err := install.New(s2).Prune(); err != nil && !errors.Is(err, syscall.ENOSPC) {
			t.Error(err)
		}
		wantCurrent(t, s, live)
		empty(t, d)
		if err := install.New(s2).Prune(); err != nil {
			t.Error(err)
		}
		wantReleases(t, s, live)
	})
}

func TestNoInodesLeft(t *testing.T) {
	t.Parallel()
	d := disk.New(t, disk.Options{Kind: disk.Ext4, Bytes: 4 << 20, Format: []string{"-N", "64"}})
	s := siteOn(d, install.MethodExchange)
	update(t, s, "one", "", files{"version": "1"})
	packed := tarball(t, files{"version": "2", "a/b/c/d": "deep"})
	for leave := range 12 {
		if err := d.FillInodes(leave); err != nil {
			t.Fatal(err)
		}
		room := s.Room(1)
		var full *install.SpaceError
		if got, want := errors.As(room, &full), leave < 3; got != want {
			t.Errorf("room with %d inodes: got %v", leave, room)
		}
		if full != nil && !strings.Contains(room.Error(), fmt.Sprintf("3 inodes needed, %d free, %d missing", leave, 3-leave)) {
			t.Errorf("room with %d inodes: got %v", leave, room)
		}
		err := attempt(t, s, "two", "", packed)
		if err != nil {
			if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), " inodes free") {
				t.Errorf("with %d inodes: got %v, want ENOSPC", leave, err)
			}
			wantDiskNamed(t, d, err)
			wantCurrent(t, s, "one")
			wantNoLeftovers(t, s)
		}
		empty(t, d)
		if err == nil {
			if leave < 8 {
				t.Errorf("a release of 8 inodes fitted in %d", leave)
			}
			return
		}
	}
	t.Error("no number of inodes was enough")
}

func TestRoom(t *testing.T) {
	t.Parallel()
	d := disk.New(t, disk.Options{Kind: disk.Ext4, Bytes: 4 << 20})
	free, err := d.Free()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		format archive.Format
		size   int64
		fits   bool
	}{
		{archive.TarGzip, -1, true},
		{archive.TarGzip, free, true},
		{archive.TarGzip, free + 1, false},
		{archive.Zip, free / 2, true},
		{archive.Zip, free/2 + 1, false},
	} {
		o := options(filepath.Join(d.Dir, "not", "there", "yet", "app"))
		o.Archive.Format = test.format
		err := install.New(o).Room(test.size)
		var full *install.SpaceError
		if fits := !errors.As(err, &full); fits != test.fits || (fits && err != nil) {
			t.Errorf("%s of %d bytes where %d are free: got %v", test.format, test.size, free, err)
		}
	}

	err = install.New(options(filepath.Join(d.Dir, "app"))).Room(1288490189)
	fs := fmt.Sprintf("%s (%s)", d.Dir, d.Device)
	want := &install.SpaceError{FileSystem: fs, Needed: 1288490189, Free: free}
	if diff := cmp.Diff(want, err); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got, want := err.Error(), "not enough space on "+fs+": 1.2 GiB needed, "; !strings.HasPrefix(got, want) {
		t.Errorf("got %q, want %q…", got, want)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("%v is no ENOSPC", err)
	}
}

// Blocks that are reserved for root are not counted, though root could use them.
func TestRoomLeavesTheReserve(t *testing.T) {
	t.Parallel()
	d := disk.New(t, disk.Options{Kind: disk.Ext4, Bytes: 16 << 20, Format: []string{"-m", "40"}})
	var full *install.SpaceError
	if err := install.New(options(filepath.Join(d.Dir, "app"))).Room(10 << 20); !errors.As(err, &full) {
		t.Errorf("got %v: 6 MiB of 16 are reserved", err)
	}
}

func TestSpaceErrorInUnits(t *testing.T) {
	t.Parallel()
	e := &install.SpaceError{FileSystem: "/srv (/dev/vdb1)", Needed: 1288490189, Free: 300 << 20}
	if got, want := e.Error(), "not enough space on /srv (/dev/vdb1): 1.2 GiB needed, 300 MiB free, 929 MiB missing: free space, or lower keepReleases"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	e = &install.SpaceError{FileSystem: "/srv (/dev/vdb1)", Needed: 1023, Free: 3}
	if got := e.Error(); !strings.Contains(got, "1023 B needed, 3 B free, 1020 B missing") {
		t.Errorf("got %q", got)
	}
}
