//go:build linux

package install_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/dropship/dropship/artifact/install"
	"github.com/dropship/dropship/test/disk"
)

// A failure is a way for a disk to fail under an update.
type failure struct {
	name string
	disk disk.Options
	fail func(*disk.Disk) error
	want error
	says string
}

var failures = []failure{
	{"ext4 gone", disk.Options{Kind: disk.Ext4}, (*disk.Disk).Shutdown, syscall.EIO, "or its device fails"},
	{"xfs gone", disk.Options{Kind: disk.XFS}, (*disk.Disk).Shutdown, syscall.EIO, "or its device fails"},
	{
		"ext4 read-only",
		disk.Options{Kind: disk.Ext4, Mount: []string{"errors=remount-ro"}},
		(*disk.Disk).TurnReadOnly, syscall.EROFS, "is read-only",
	},
}

// Whatever step the disk fails at, the step says so, and after the disk is repaired the destination is the complete old
// release; once Switch has returned nil, the new one.
func TestDiskFailsAtAnyStep(t *testing.T) {
	one, two := files{"version": "1"}, files{"version": "2", "lib/x": strings.Repeat("x", 100<<10)}
	packed := tarball(t, two)
	for _, f := range failures {
		for _, method := range methods {
			t.Run(f.name+" by "+method, func(t *testing.T) {
				t.Parallel()
				d := disk.New(t, f.disk)
				for failAt := range 5 {
					s := siteOn(d, method)
					id, old := fmt.Sprintf("new-%d", failAt), fmt.Sprintf("old-%d", failAt)
					update(t, s, old, "", one)
					err := failingUpdate(t, s, id, packed, func(step int) {
						if step == failAt {
							if err := f.fail(d); err != nil {
								t.Fatal(err)
							}
						}
					})
					if !errors.Is(err, f.want) || !strings.Contains(err.Error(), f.says) {
						t.Errorf("failed at step %d: got %v, want %v", failAt, err, f.want)
					}
					if errors.Is(f.want, syscall.EROFS) && failAt < 4 {
						wantContents(t, s.Destination(), one) // it can still be read
					}
					if err := d.Remount(t.Context()); err != nil {
						t.Fatal(err)
					}
					s = siteOn(d, method)
					if err := s.Recover(); err != nil {
						t.Fatalf("failed at step %d: %v", failAt, err)
					}
					wantNoLeftovers(t, s)
					if failAt == 4 {
						wantContents(t, s.Destination(), two)
						wantCurrent(t, s, id)
						continue
					}
					wantContents(t, s.Destination(), one)
					wantCurrent(t, s, old)
					if err := attempt(t, s, id+"-again", "", packed); err != nil {
						t.Fatal(err)
					}
					wantContents(t, s.Destination(), two)
				}
			})
		}
	}
}

// failingUpdate calls before with the number of each step of an update before it is done, and returns the first error.
func failingUpdate(t *testing.T, s *install.Site, id string, packed []byte, before func(step int)) error {
	t.Helper()
	before(0)
	st, err := s.Stage(id)
	if err != nil {
		return err
	}
	before(1)
	if _, err = st.Unpack(t.Context(), bytes.NewReader(packed)); err != nil {
		return errors.Join(err, st.Discard())
	}
	before(2)
	if _, err = st.Seal(install.Release{Hash: "h"}); err != nil {
		return errors.Join(err, st.Discard())
	}
	before(3)
	if err := s.Switch(id, ""); err != nil {
		return err
	}
	before(4)
	return s.Prune()
}

// A write succeeds, and what was written is lost when the kernel writes it back. The error is told once, to whoever
// has asked for it by then: here somebody else, say another service whose disk it is too. The stage is no release for
// that, also if the disk has become sound again.
func TestLostWriteIsNeverSealed(t *testing.T) {
	t.Parallel()
	d := disk.New(t, disk.Options{Kind: disk.Ext4, Bytes: 32 << 20, Thin: 12 << 20, Format: []string{"-O", "^has_journal"}})
	s := siteOn(d, install.MethodExchange)
	update(t, s, "one", "", files{"version": "1"})
	if err := s.Room(16 << 20); err != nil {
		t.Fatalf("the disk does not look as if it had room: %v", err)
	}
	st, err := s.Stage("two")
	if err != nil {
		t.Fatal(err)
	}
	noise := make([]byte, 16<<20)
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise) // it never fails
	if _, err := st.Unpack(t.Context(), bytes.NewReader(tarball(t, files{"noise": string(noise)}))); err != nil {
		t.Fatalf("writes are expected to succeed: %v", err)
	}
	other, err := os.Open(d.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := unix.Syncfs(int(other.Fd())); err == nil {
		t.Fatal("nothing was lost")
	}
	if err := d.Grow(64 << 20); err != nil {
		t.Fatal(err)
	}
	_, err = st.Seal(install.Release{Hash: "h"})
	if !errors.Is(err, syscall.EIO) && !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v, want an input/output error", err)
	}
	if err := st.Discard(); err != nil {
		t.Error(err)
	}
	if err := s.Switch("two", ""); !errors.Is(err, install.ErrNoRelease) {
		t.Errorf("switching to it: got %v, want %v", err, install.ErrNoRelease)
	}
	wantContents(t, s.Destination(), files{"version": "1"})
	if _, err := os.Lstat(filepath.Join(beside(s), "two")); !os.IsNotExist(err) {
		t.Errorf("the release is there: %v", err)
	}
	update(t, s, "three", "", files{"version": "3"})
	wantContents(t, s.Destination(), files{"version": "3"})
}
