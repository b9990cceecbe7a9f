//go:build linux

package dropship_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/dropship/dropship/artifact/install"
	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/test/disk"
)

// onDisk moves the destination of the world's service to a small disk.
func (w *world) onDisk(d *disk.Disk, keep int) {
	o := w.service.Site.Options()
	o.Destination, o.Keep = filepath.Join(d.Dir, "srv", "web"), keep
	w.service.Site = install.New(o)
	w.restart()
}

// packBig is pack with so many bytes besides that no compression makes smaller.
func packBig(t testing.TB, version string, size int) []byte {
	t.Helper()
	noise := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise) // it never fails
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for name, content := range map[string][]byte{"version": []byte(version), "noise": noise} {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func (w *world) wantReleases(want int) {
	w.t.Helper()
	releases, err := w.service.Site.Releases()
	if err != nil {
		w.t.Fatal(err)
	}
	if len(releases) != want {
		w.t.Errorf("got %d releases, want %d: %+v", len(releases), want, releases)
	}
}

// What cannot fit is not downloaded, nothing is removed for it, and no more than the usual one request is made. Once
// there is space the next check installs it, without a person and without a wait.
func TestNoRoomNoDownload(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := disk.New(t, disk.Options{Kind: disk.Ext4, Bytes: 8 << 20})
	w.onDisk(d, 3)
	w.service.Before = append(w.service.Before, w.hook("stop", nil))
	for _, version := range []string{"1", "2"} {
		w.source.publish(pack(t, version), "r"+version)
		w.mustUpdate(dropship.Updated)
	}
	if err := d.Fill(1 << 20); err != nil {
		t.Fatal(err)
	}
	w.took()
	w.source.counts()
	big := packBig(t, "3", 2<<20)
	w.source.publish(big, "r3")
	for range 3 { // often enough that a back-off would show
		_, err := w.update()
		if stepOf(t, err) != dropship.StepStage {
			t.Fatalf("got %v, want an error at staging", err)
		}
		var full *install.SpaceError
		if !errors.As(err, &full) || full.Needed != int64(len(big)) || full.Free > 1<<20 {
			t.Errorf("got %v, want that %d bytes are needed", err, len(big))
		}
		want := fmt.Sprintf("cannot stage mem://bucket/web.tar.gz: not enough space on %s (%s): 2.0 MiB needed, ", d.Dir, d.Device)
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
		if stats, opens := w.source.counts(); stats != 1 || opens != 0 {
			t.Errorf("%d stats, %d downloads, want 1, 0", stats, opens)
		}
		w.wantLive("2")
		w.wantRan()
		w.wantReleases(2)
	}
	if err := d.Empty(); err != nil {
		t.Fatal(err)
	}
	w.mustUpdate(dropship.Updated)
	w.wantLive("3")
}

// To lower keepReleases makes room, as the error says.
func TestLoweredKeepReleasesMakesRoom(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := disk.New(t, disk.Options{Kind: disk.Ext4, Bytes: 8 << 20})
	w.onDisk(d, 3)
	for _, version := range []string{"1", "2", "3"} {
		w.source.publish(packBig(t, version, 1<<20), "r"+version)
		w.mustUpdate(dropship.Updated)
	}
	if err := d.Fill(512 << 10); err != nil {
		t.Fatal(err)
	}
	w.source.publish(packBig(t, "4", 1<<20), "r4")
	if _, err := w.update(); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("got %v, want no space", err)
	}
	w.wantReleases(3)
	w.onDisk(d, 0)
	w.mustUpdate(dropship.Updated)
	w.wantLive("4")
	w.wantReleases(1)
}

// A release that turns out larger than its artifact fails while it is unpacked: nothing of it stays, and the error says
// what is missing at least.
func TestDiskFullWhileUnpacking(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := disk.New(t, disk.Options{Kind: disk.Ext4, Bytes: 8 << 20})
	w.onDisk(d, 3)
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.Updated)
	big := packBig(t, "2", 2<<20)
	if err := d.Fill(int64(len(big)) + 4096); err != nil {
		t.Fatal(err)
	}
	w.source.publish(big, "r2")
	w.source.set(func(s *source) {
		s.onOpen = func() { // somebody else takes the space meanwhile
			if err := d.Fill(1 << 20); err != nil {
				t.Error(err)
			}
		}
	})
	_, err := w.update()
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("got %v, want no space", err)
	}
	for _, want := range []string{"no space left on device", d.Dir + " (" + d.Device + ") has ", " are missing)"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
	w.wantLive("1")
	w.wantReleases(1)
	if stages, err := filepath.Glob(filepath.Join(d.Dir, "srv", ".web.dropship", "stage-*")); err != nil || len(stages) > 0 {
		t.Errorf("left over: %q, %v", stages, err)
	}
	if err := d.Empty(); err != nil {
		t.Fatal(err)
	}
	w.source.set(func(s *source) { s.onOpen = nil })
	w.mustUpdate(dropship.Updated)
	w.wantLive("2")
}
