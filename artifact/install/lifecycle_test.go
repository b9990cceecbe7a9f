//go:build linux

package install_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dropship/dropship/artifact/archive"
	"github.com/dropship/dropship/artifact/install"
)

// Fault 4: the backup was saved under one name and restored from another, so nothing was ever
// restored, and a second install merged over the leftovers.
func TestFault04RestoresWhatWasSetAside(t *testing.T) {
	each(t, func(t *testing.T, method string) {
		s := install.Force(newSite(t), method)
		one := files{"version": "1", "only-in-1/x": "1"}
		update(t, s, "one", "", one)
		update(t, s, "two", "one", files{"version": "2", "only-in-2": "2"})
		wantContents(t, s.Destination(), files{"version": "2", "only-in-2": "2"}) // nothing of one is left in it
		if err := s.Switch("one", "two"); err != nil {
			t.Fatal(err)
		}
		wantContents(t, s.Destination(), one) // restored, byte for byte, and nothing of two in it
		update(t, s, "three", "one", files{"version": "3"})
		wantContents(t, s.Destination(), files{"version": "3"})
	})
}

// D10: missing parent directories are made.
func TestStageMakesMissingParents(t *testing.T) {
	o := options(filepath.Join(t.TempDir(), "a", "b", "c", "app"))
	s := install.New(o)
	if err := s.Ready(); err != nil {
		t.Fatal(err)
	}
	update(t, s, "one", "", files{"version": "1"})
	wantContents(t, o.Destination, files{"version": "1"})
	if _, mode := owner(t, filepath.Dir(o.Destination)); mode != 0o755 {
		t.Errorf("mode of a parent: got %#o, want 0755", mode)
	}
}

func TestFullDiskLeavesDestination(t *testing.T) {
	mnt := filepath.Join(t.TempDir(), "mnt")
	mkdir(t, mnt, 0o755)
	mount(t, "tmpfs", mnt, "tmpfs", 0, "size=256k")
	s := install.New(options(filepath.Join(mnt, "app")))
	one := files{"version": "1"}
	update(t, s, "one", "", one)

	st, err := s.Stage("two")
	if err != nil {
		t.Fatal(err)
	}
	big := tarball(t, files{"big": strings.Repeat("x", 1<<20)})
	if _, err := st.Unpack(t.Context(), bytes.NewReader(big)); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v, want ENOSPC", err)
	}
	wantContents(t, s.Destination(), one)
	if err := st.Discard(); err != nil {
		t.Fatal(err)
	}
	wantNoLeftovers(t, s)
	update(t, s, "three", "one", files{"version": "3"}) // the room is free again
	wantContents(t, s.Destination(), files{"version": "3"})
}

func TestUnpackReportsItsCause(t *testing.T) {
	s := newSite(t)
	cause := errors.New("connection reset")
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		name string
		ctx  context.Context
		r    io.Reader
		want error
	}{
		{"reader", t.Context(), iotest.ErrReader(cause), cause},
		{"context", canceled, bytes.NewReader(tarball(t, files{"x": "y"})), context.Canceled},
	} {
		st, err := s.Stage(tt.name)
		if err != nil {
			t.Fatal(err)
		}
		_, err = st.Unpack(tt.ctx, tt.r)
		if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), s.Destination()) {
			t.Errorf("%s: got %v, want %v and the destination's name", tt.name, err, tt.want)
		}
		if err := st.Discard(); err != nil {
			t.Error(err)
		}
	}
	wantNoLeftovers(t, s)
}

func TestSealCompletesRelease(t *testing.T) {
	s := newSite(t)
	want := install.Release{
		Hash: "h", SHA256: "s", Revision: "rev", Artifact: "s3://b/k", Size: 7,
		Staged: time.Date(2026, 11, 20, 1, 2, 3, 4, time.UTC),
	}
	st, err := s.Stage("one")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Unpack(t.Context(), bytes.NewReader(tarball(t, files{"version": "1"}))); err != nil {
		t.Fatal(err)
	}
	got, err := st.Seal(want)
	if err != nil {
		t.Fatal(err)
	}
	want.ID = "one"
	if got != want {
		t.Errorf("sealed: got %+v, want %+v", got, want)
	}
	wantCurrent(t, s, "")
	if err := s.Switch("one", ""); err != nil {
		t.Fatal(err)
	}
	if got, _, _ := s.Current(); got != want {
		t.Errorf("current: got %+v, want %+v", got, want)
	}
	if _, err := s.Stage("one"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("staged again: got %v, want fs.ErrExist", err)
	}
}

func TestSealOfNothing(t *testing.T) {
	s := newSite(t)
	st, err := s.Stage("one")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Seal(install.Release{}); err == nil {
		t.Error("an empty stage was sealed")
	}
	wantReleases(t, s)
}

func TestDiscard(t *testing.T) {
	s := newSite(t)
	discard := func(st *install.Stage) {
		t.Helper()
		for range 2 {
			if err := st.Discard(); err != nil {
				t.Fatal(err)
			}
		}
		wantNoLeftovers(t, s)
	}
	sealed := func(id string) *install.Stage {
		t.Helper()
		st, err := s.Stage(id)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := st.Unpack(t.Context(), bytes.NewReader(tarball(t, files{"version": id}))); err != nil {
			t.Fatal(err)
		}
		if _, err := st.Seal(install.Release{}); err != nil {
			t.Fatal(err)
		}
		return st
	}
	open, err := s.Stage("open")
	if err != nil {
		t.Fatal(err)
	}
	discard(open)
	unwanted := sealed("unwanted")
	wantReleases(t, s, "unwanted")
	discard(unwanted)
	wantReleases(t, s)
	wanted := sealed("wanted")
	if err := s.Switch("wanted", ""); err != nil {
		t.Fatal(err)
	}
	next := sealed("next")
	if err := s.Switch("next", "wanted"); err != nil {
		t.Fatal(err)
	}
	discard(wanted)
	discard(next)
	wantReleases(t, s, "next", "wanted")
	wantContents(t, s.Destination(), files{"version": "next"})
}

func TestPrune(t *testing.T) {
	o := options(filepath.Join(t.TempDir(), "app"))
	o.Keep = 2
	o.Persist = []string{"data"}
	s := install.New(o)
	ids := []string{"one", "two", "three", "four", "five"}
	from := ""
	for _, id := range ids {
		update(t, s, id, from, files{"version": id, "read-only/x": "y"})
		if err := os.Chmod(filepath.Join(o.Destination, "read-only"), 0o555); err != nil {
			t.Fatal(err)
		}
		from = id
	}
	write(t, filepath.Join(o.Destination, "data", "x"), "y")
	if err := s.Switch("two", "five"); err != nil { // the current one is among the old
		t.Fatal(err)
	}
	broken := filepath.Join(beside(s), "broken")
	write(t, filepath.Join(broken, "release.json"), "not JSON")
	for range 2 {
		if err := s.Prune(); err != nil {
			t.Fatal(err)
		}
		wantReleases(t, s, "five", "four", "two")
		wantCurrent(t, s, "two")
		wantContents(t, o.Destination, files{"version": "two", "read-only/x": "y", "data/x": "y"})
	}
	if _, err := os.Stat(filepath.Join(beside(s), "one")); !os.IsNotExist(err) {
		t.Errorf("release one is there: %v", err)
	}
	if err := s.Recover(); err != nil {
		t.Fatal(err)
	}
	if got, want := read(t, broken, "release.json"), "not JSON"; got != want {
		t.Errorf("a folder that cannot be read was changed: got %q, want %q", got, want)
	}
	wantNoLeftovers(t, s)

	// A release whose files were removed with the destination is no release any more.
	if err := os.RemoveAll(o.Destination); err != nil {
		t.Fatal(err)
	}
	if err := s.Prune(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(beside(s), "two")); !os.IsNotExist(err) {
		t.Errorf("release two, without files, is there: %v", err)
	}
	if got, want := read(t, beside(s), "persist", "data", "x"), "y"; got != want {
		t.Errorf("persistent data: got %q, want %q", got, want)
	}
}

// What was at the destination before the first release exists nowhere else.
func TestPruneKeepsWhatWasFound(t *testing.T) {
	o := options(filepath.Join(t.TempDir(), "app"))
	o.Keep = 1
	s := install.New(o)
	found := files{"by": "hand"}
	write(t, filepath.Join(o.Destination, "by"), "hand")
	update(t, s, "one", "found", files{"version": "1"})
	update(t, s, "two", "one", files{"version": "2"})
	update(t, s, "three", "two", files{"version": "3"})
	if err := s.Prune(); err != nil {
		t.Fatal(err)
	}
	wantReleases(t, s, "three", "two", "found") // it does not count as one of the Keep
	if err := s.Switch("found", "three"); err != nil {
		t.Fatal(err)
	}
	wantContents(t, o.Destination, found)
}

// What was taken away and installed again, time after time, leaves what was there before it.
func TestPruneLeavesTheSameBytesOnce(t *testing.T) {
	s := newSite(t)
	update(t, s, "one", "", files{"version": "1"})
	for _, id := range []string{"two", "two-again", "and-again", "once-more", "at-last"} {
		st, err := s.Stage(id)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := st.Unpack(t.Context(), bytes.NewReader(tarball(t, files{"version": "2"}))); err != nil {
			t.Fatal(err)
		}
		if _, err := st.Seal(install.Release{Hash: "hash of two"}); err != nil {
			t.Fatal(err)
		}
		if err := s.Switch(id, "one"); err != nil {
			t.Fatal(err)
		}
		if err := s.Prune(); err != nil {
			t.Fatal(err)
		}
		wantReleases(t, s, id, "one")
		if err := s.Switch("one", id); err != nil {
			t.Fatal(err)
		}
		if err := s.Prune(); err != nil {
			t.Fatal(err)
		}
		wantReleases(t, s, id, "one")
	}
}

func TestPruneGoesOnAfterAnError(t *testing.T) {
	o := options(filepath.Join(t.TempDir(), "app"))
	o.Keep = 0
	s := install.New(o)
	update(t, s, "one", "", files{"version": "1", "busy/x": ""})
	update(t, s, "two", "one", files{"version": "2"})
	update(t, s, "three", "two", files{"version": "3"})
	busy := filepath.Join(beside(s), "one", "tree", "busy")
	if err := s.Switch("one", "three"); err != nil {
		t.Fatal(err)
	}
	if err := s.Switch("three", "one"); err != nil {
		t.Fatal(err)
	}
	mount(t, "tmpfs", busy, "tmpfs", 0, "size=64k")
	t.Cleanup(func() { // before the mount's: it is below another name by then
		if err := os.Rename(filepath.Join(beside(s), "trash-one"), filepath.Join(beside(s), "one")); err != nil {
			t.Error(err)
		}
	})
	if err := s.Prune(); !errors.Is(err, syscall.EBUSY) || !strings.Contains(err.Error(), o.Destination) {
		t.Errorf("got %v, want EBUSY and the destination's name", err)
	}
	wantReleases(t, s, "three")
	wantContents(t, o.Destination, files{"version": "3"})
}

func TestRecoverTouchesNothingElse(t *testing.T) {
	s := newSite(t, "data")
	if err := s.Recover(); err != nil {
		t.Fatalf("nothing there: %v", err)
	}
	srv := filepath.Dir(s.Destination())
	write(t, filepath.Join(srv, ".other.dropship", "stage-x", "tree"), "another service's")
	update(t, s, "one", "", files{"version": "1"})
	update(t, s, "two", "one", files{"version": "2"})
	before := contents(t, srv)
	for _, junk := range []string{"stage-three/tree/x", "trash-zero/tree/x"} {
		write(t, filepath.Join(beside(s), junk), "junk")
	}
	if err := s.Recover(); err != nil {
		t.Fatal(err)
	}
	wantContents(t, srv, before)
}

func TestRecoverReportsDamage(t *testing.T) {
	s := newSite(t)
	update(t, s, "one", "", files{"version": "1"})
	for _, content := range []string{"not JSON", `{"to": "../x", "from": "one"}`, `{"to": "one", "from": "one", "adopt": ["../x"]}`} {
		write(t, filepath.Join(beside(s), "switch.json"), content)
		if err := s.Recover(); err == nil || !strings.Contains(err.Error(), "is damaged") {
			t.Errorf("%s: got %v", content, err)
		}
		wantContents(t, s.Destination(), files{"version": "1"})
	}
}

// A switch that fails before its atomic step changes nothing, and what it was to put in place can go.
func TestFailedSwitchChangesNothing(t *testing.T) {
	each(t, func(t *testing.T, method string) {
		s := install.Force(newSite(t, "cache", "data"), method)
		app := files{"version": "0", "cache/x": "y", "data/db": "live"}
		for name, content := range app {
			write(t, filepath.Join(s.Destination(), name), content)
		}
		data := filepath.Join(s.Destination(), "data")
		mount(t, data, data, "", unix.MS_BIND, "") // which hinders its adoption
		st, err := s.Stage("one")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := st.Unpack(t.Context(), bytes.NewReader(tarball(t, files{"version": "1"}))); err != nil {
			t.Fatal(err)
		}
		if _, err := st.Seal(install.Release{}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			err := s.Switch("one", "hand")
			if !errors.Is(err, syscall.EBUSY) || !strings.Contains(err.Error(), "cannot persist data") {
				t.Errorf("got %v, want EBUSY", err)
			}
			wantContents(t, s.Destination(), app)
			wantNoLeftovers(t, s)
		}
		if err := st.Discard(); err != nil {
			t.Fatal(err)
		}
		if err := s.Recover(); err != nil {
			t.Fatal(err)
		}
		wantContents(t, s.Destination(), app)
		wantReleases(t, s, "hand")
	})
}

func TestRemove(t *testing.T) {
	s := newSite(t)
	if err := s.Remove("one"); err != nil {
		t.Errorf("nothing there: %v", err)
	}
	update(t, s, "one", "", files{"version": "1"})
	stage(t, s, "two", tarball(t, files{"version": "2"}))
	for range 2 {
		if err := s.Remove("two"); err != nil {
			t.Error(err)
		}
		wantReleases(t, s, "one")
	}
	if err := s.Remove("one"); err == nil || !strings.Contains(err.Error(), "it is at the destination") {
		t.Errorf("the current release: got %v", err)
	}
	for _, id := range []string{"", "..", "persist", "lock", "a/b"} {
		if err := s.Remove(id); err == nil {
			t.Errorf("%q was removed", id)
		}
	}
	wantContents(t, s.Destination(), files{"version": "1"})
	wantNoLeftovers(t, s)
}

// Two services in one directory do not see each other.
func TestNeighbours(t *testing.T) {
	dir := t.TempDir()
	a, b := install.New(options(filepath.Join(dir, "a"))), install.New(options(filepath.Join(dir, "b")))
	update(t, a, "one", "", files{"of": "a"})
	update(t, b, "one", "", files{"of": "b"})
	update(t, a, "two", "one", files{"of": "a2"})
	wantContents(t, b.Destination(), files{"of": "b"})
	wantReleases(t, b, "one")
	wantReleases(t, a, "two", "one")
}

func TestStageRemovesUnfinishedOne(t *testing.T) {
	o := options(filepath.Join(t.TempDir(), "tool"))
	o.Archive.Format = archive.File
	s := install.New(o)
	first, err := s.Stage("one")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.Unpack(t.Context(), strings.NewReader("cut off")); err != nil {
		t.Fatal(err)
	}
	stage(t, s, "one", []byte("whole"))
	if err := s.Switch("one", ""); err != nil {
		t.Fatal(err)
	}
	wantContents(t, o.Destination, files{".": "whole"})
}
