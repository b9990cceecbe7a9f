//go:build linux

package install_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dropship/dropship/artifact/archive"
	"github.com/dropship/dropship/artifact/install"
)

// What is at the destination when a path begins to persist is kept, for the new release and for a rollback.
func TestPersistAdopts(t *testing.T) {
	each(t, func(t *testing.T, method string) {
		s := install.Force(newSite(t, "data", "var/log/app.log"), method)
		write(t, filepath.Join(s.Destination(), "data", "db"), "live")
		write(t, filepath.Join(s.Destination(), "var", "log", "app.log"), "line 1\n")
		update(t, s, "one", "hand", files{"version": "1", "data/db": "seed", "data/new": "seed"})
		wantContents(t, s.Destination(), files{"version": "1", "data/db": "live", "var/log/app.log": "line 1\n"})

		write(t, filepath.Join(s.Destination(), "data", "db"), "changed by 1")
		if err := s.Switch("hand", "one"); err != nil {
			t.Fatal(err)
		}
		wantContents(t, s.Destination(), files{"data/db": "changed by 1", "var/log/app.log": "line 1\n"})

		write(t, filepath.Join(s.Destination(), "data", "db"), "changed after rollback")
		update(t, s, "two", "hand", files{"version": "2", "var/log/app.log": "of the build"})
		wantContents(t, s.Destination(), files{
			"version": "2", "data/db": "changed after rollback", "var/log/app.log": "line 1\n",
		})
		got, err := os.Readlink(filepath.Join(s.Destination(), "var", "log", "app.log"))
		if want := "../../../.app.dropship/persist/var/log/app.log"; got != want || err != nil {
			t.Errorf("link: got %q, %v, want %q", got, err, want)
		}
	})
}

func TestPersistStartsFromRelease(t *testing.T) {
	s := newSite(t, "data", "spool/in")
	update(t, s, "one", "", files{"data/db": "seed"})
	wantContents(t, s.Destination(), files{"data/db": "seed", "spool/in/": ""})
	write(t, filepath.Join(s.Destination(), "spool", "in", "x"), "y")
	update(t, s, "two", "one", files{"data/db": "seed of 2", "spool/in/x": "of 2"})
	wantContents(t, s.Destination(), files{"data/db": "seed", "spool/in/x": "y"})
	if _, err := os.Lstat(filepath.Join(beside(s), "two", "own", "data")); !os.IsNotExist(err) {
		t.Errorf("what release two brought itself still takes up room: %v", err)
	}
	o := s.Options()
	o.Keep = 0
	if err := install.New(o).Prune(); err != nil {
		t.Fatal(err)
	}
	wantContents(t, s.Destination(), files{"data/db": "seed", "spool/in/x": "y"})
}

// A release from before the path persisted is rolled back to: it sees the live data, and its own is not lost.
func TestPersistForOlderRelease(t *testing.T) {
	s := newSite(t)
	update(t, s, "one", "", files{"version": "1", "data/db": "of 1"})
	update(t, s, "two", "one", files{"version": "2", "data/db": "of 2"})
	o := s.Options()
	o.Persist = []string{"data"}
	s = install.New(o)
	update(t, s, "three", "two", files{"version": "3"})
	wantContents(t, s.Destination(), files{"version": "3", "data/db": "of 2"})
	if err := s.Switch("one", "three"); err != nil {
		t.Fatal(err)
	}
	wantContents(t, s.Destination(), files{"version": "1", "data/db": "of 2"})
	if got, want := read(t, beside(s), "one", "own", "data", "db"), "of 1"; got != want {
		t.Errorf("what release one had itself: got %q, want %q", got, want)
	}
}

// A link at the destination, as other tools leave for shared data, is followed and its target stays where it is.
func TestPersistAdoptsLink(t *testing.T) {
	each(t, func(t *testing.T, method string) {
		s := install.Force(newSite(t, "data"), method)
		shared := filepath.Join(filepath.Dir(s.Destination()), "shared")
		write(t, filepath.Join(shared, "db"), "live")
		write(t, filepath.Join(s.Destination(), "version"), "0")
		if err := os.Symlink("../shared", filepath.Join(s.Destination(), "data")); err != nil {
			t.Fatal(err)
		}
		update(t, s, "one", "hand", files{"version": "1", "data/db": "seed"})
		wantContents(t, s.Destination(), files{"version": "1", "data/db": "live"})
		wantContents(t, shared, files{"db": "live"})
	})
}

func TestPersistRefusesLinkWithinRelease(t *testing.T) {
	s := newSite(t, "data")
	write(t, filepath.Join(s.Destination(), "var", "db"), "live")
	if err := os.Symlink("var", filepath.Join(s.Destination(), "data")); err != nil {
		t.Fatal(err)
	}
	stage(t, s, "one", tarball(t, files{"version": "1"}))
	err := s.Switch("one", "hand")
	if err == nil || !strings.Contains(err.Error(), "cannot persist data") {
		t.Errorf("got %v", err)
	}
	wantContents(t, s.Destination(), files{"var/db": "live", "data/db": "live"})
}

// An administrator may move a persistent path to another disk and leave a link.
func TestPersistFollowsAdministratorsLink(t *testing.T) {
	s := newSite(t, "data")
	update(t, s, "one", "", files{"data/db": "seed"})
	big := filepath.Join(t.TempDir(), "big")
	place := filepath.Join(beside(s), "persist", "data")
	if err := os.Rename(place, big); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(big, place); err != nil {
		t.Fatal(err)
	}
	update(t, s, "two", "one", files{"version": "2", "data/db": "seed of 2"})
	wantContents(t, s.Destination(), files{"version": "2", "data/db": "seed"})
}

func TestPersistOwnerAndModes(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	o := options(filepath.Join(t.TempDir(), "app"))
	o.Archive.UID, o.Archive.GID = 1234, 1235
	o.Persist = []string{"a/data"}
	s := install.New(o)
	update(t, s, "one", "", files{"version": "1", "a/data/": ""})
	for name, want := range map[string]struct{ uid, mode uint32 }{
		"":                 {0, 0o711},
		"one":              {0, 0o711},
		"persist":          {0, 0o711},
		"persist/a":        {1234, 0o755},
		"persist/a/data":   {1234, 0o755},
		"one/release.json": {0, 0o600},
		"one/own/a":        {0, 0o711}, // the application must not be able to put a link here
	} {
		if uid, mode := owner(t, filepath.Join(beside(s), name)); uid != want.uid || mode != want.mode {
			t.Errorf("%q: got uid %d, mode %#o, want %d, %#o", name, uid, mode, want.uid, want.mode)
		}
	}
}

func TestPersistRefusesFile(t *testing.T) {
	o := options(filepath.Join(t.TempDir(), "tool"))
	o.Archive.Format = archive.File
	o.Persist = []string{"data"}
	s := install.New(o)
	st, err := s.Stage("one")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Unpack(t.Context(), strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := st.Seal(install.Release{}); err == nil || !strings.Contains(err.Error(), "a single file") {
		t.Errorf("got %v", err)
	}
}
