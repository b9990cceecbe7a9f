//go:build linux

package install_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dropship/dropship/artifact/archive"
	"github.com/dropship/dropship/artifact/install"
)

// each runs f for both methods.
func each(t *testing.T, f func(t *testing.T, method string)) {
	t.Helper()
	for _, method := range methods {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			f(t, method)
		})
	}
}

func TestSwitchThereAndBack(t *testing.T) {
	each(t, func(t *testing.T, method string) {
		s := install.Force(newSite(t), method)
		one, two := files{"version": "1", "only-in-1": ""}, files{"version": "2", "sub/x": "y"}
		update(t, s, "one", "", one)
		wantContents(t, s.Destination(), one)
		wantCurrent(t, s, "one")
		update(t, s, "two", "one", two)
		wantContents(t, s.Destination(), two)
		wantCurrent(t, s, "two")
		wantReleases(t, s, "two", "one")
		if err := s.Switch("one", "two"); err != nil {
			t.Fatal(err)
		}
		wantContents(t, s.Destination(), one)
		wantCurrent(t, s, "one")
		wantReleases(t, s, "two", "one")
		if err := s.Switch("one", "two"); err != nil {
			t.Errorf("a second time: %v", err)
		}
		wantContents(t, s.Destination(), one)
		wantNoLeftovers(t, s)
		if got := s.Method(); got != method {
			t.Errorf("method: got %q, want %q", got, method)
		}
	})
}

func TestSwitchFile(t *testing.T) {
	each(t, func(t *testing.T, method string) {
		o := options(filepath.Join(t.TempDir(), "tool"))
		o.Archive.Format = archive.File
		s := install.Force(install.New(o), method)
		for _, id := range []string{"one", "two", "three"} {
			stage(t, s, id, []byte(id))
			before, _, err := s.Current()
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Switch(id, before.ID); err != nil {
				t.Fatal(err)
			}
			wantContents(t, s.Destination(), files{".": id})
			wantCurrent(t, s, id)
		}
		if err := s.Switch("one", "three"); err != nil {
			t.Fatal(err)
		}
		wantContents(t, s.Destination(), files{".": "one"})
		wantReleases(t, s, "three", "two", "one")
	})
}

// What an operator put there by hand is kept, and can be put back.
func TestSwitchKeepsForeignTree(t *testing.T) {
	each(t, func(t *testing.T, method string) {
		s := install.Force(newSite(t), method)
		hand, one := files{"made by": "hand"}, files{"version": "1"}
		write(t, filepath.Join(s.Destination(), "made by"), "hand")
		if err := os.Chmod(s.Destination(), 0o750); err != nil {
			t.Fatal(err)
		}
		later := time.Now().Add(time.Hour) // as an unpacked archive may have
		if err := os.Chtimes(s.Destination(), later, later); err != nil {
			t.Fatal(err)
		}
		wantCurrent(t, s, "")
		stage(t, s, "one", tarball(t, one))
		if err := s.Switch("one", ""); err == nil {
			t.Error("a foreign tree was replaced without a name to keep it under")
		}
		if err := s.Switch("one", "one"); !errors.Is(err, fs.ErrExist) {
			t.Errorf("under a name that is taken: got %v, want fs.ErrExist", err)
		}
		wantContents(t, s.Destination(), hand)
		if err := s.Switch("one", "by-hand"); err != nil {
			t.Fatal(err)
		}
		wantContents(t, s.Destination(), one)
		wantReleases(t, s, "one", "by-hand") // it was there before
		if err := s.Switch("by-hand", "one"); err != nil {
			t.Fatal(err)
		}
		wantContents(t, s.Destination(), hand)
		wantCurrent(t, s, "by-hand")
		if r, _, _ := s.Current(); r.Hash != "" {
			t.Errorf("hash of a foreign tree: got %q, want none", r.Hash)
		}
		info, err := os.Stat(s.Destination())
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != 0o750 {
			t.Errorf("mode of the foreign tree: got %v, want 0750", got)
		}
	})
}

func TestSwitchToNothing(t *testing.T) {
	s := newSite(t)
	if err := s.Switch("one", ""); !errors.Is(err, install.ErrNoRelease) {
		t.Errorf("nothing staged ever: got %v, want ErrNoRelease", err)
	}
	update(t, s, "one", "", files{"version": "1"})
	for _, id := range []string{"two", "", ".", "../../x", "stage-one", "persist"} {
		if err := s.Switch(id, "one"); !errors.Is(err, install.ErrNoRelease) {
			t.Errorf("switch to %q: got %v, want ErrNoRelease", id, err)
		}
	}
	if err := os.RemoveAll(s.Destination()); err != nil {
		t.Fatal(err)
	}
	if err := s.Switch("one", ""); !errors.Is(err, install.ErrNoRelease) {
		t.Errorf("its files removed: got %v, want ErrNoRelease", err)
	}
}

// A deleted destination is installed again, and one that was replaced by hand is not taken for ours.
func TestSwitchAfterRemovalByHand(t *testing.T) {
	each(t, func(t *testing.T, method string) {
		s := install.Force(newSite(t), method)
		update(t, s, "one", "", files{"version": "1"})
		if err := os.RemoveAll(s.Destination()); err != nil {
			t.Fatal(err)
		}
		wantCurrent(t, s, "")
		wantReleases(t, s)
		if present, err := s.Present(); present || err != nil {
			t.Errorf("present: got %v, %v, want false", present, err)
		}
		update(t, s, "one-again", "", files{"version": "1"})
		wantContents(t, s.Destination(), files{"version": "1"})
		if err := os.RemoveAll(s.Destination()); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(s.Destination(), "x"), "by hand") // often with the inode number of the removed one
		wantCurrent(t, s, "")
		if present, err := s.Present(); !present || err != nil {
			t.Errorf("present: got %v, %v, want true", present, err)
		}
	})
}

// After a restore from a backup every inode is another one.
func TestSwitchToRestoredRelease(t *testing.T) {
	s := newSite(t)
	update(t, s, "one", "", files{"version": "1"})
	update(t, s, "two", "one", files{"version": "2"})
	for _, id := range []string{"one", "two"} {
		if err := install.FakeReleaseOf(s, id); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Recover(); err != nil {
		t.Fatal(err)
	}
	wantCurrent(t, s, "")
	wantContents(t, s.Destination(), files{"version": "2"})
	if err := s.Switch("one", "found"); err != nil {
		t.Fatal(err)
	}
	wantContents(t, s.Destination(), files{"version": "1"})
	wantCurrent(t, s, "one")
}

func TestSwitchRefusesFileOverDirectory(t *testing.T) {
	directory := newSite(t)
	update(t, directory, "one", "", files{"version": "1"})
	o := directory.Options()
	o.Archive.Format = archive.File
	file := install.New(o)
	const want = "a plain file never replaces an existing directory"
	for what, err := range map[string]error{
		"ready":  file.Ready(),
		"switch": file.Switch("two", "one"),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", what, err, want)
		}
	}
	if _, err := file.Stage("two"); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("stage: got %v, want %q", err, want)
	}
	wantContents(t, directory.Destination(), files{"version": "1"})
}

// A destination can change its kind between Seal and Switch.
func TestSwitchRefusesOtherKind(t *testing.T) {
	o := options(filepath.Join(t.TempDir(), "tool"))
	o.Archive.Format = archive.File
	file := install.New(o)
	stage(t, file, "one", []byte("1"))
	write(t, filepath.Join(o.Destination, "x"), "")
	o.Archive.Format = archive.Tar
	err := install.New(o).Switch("one", "hand")
	if err == nil || !strings.Contains(err.Error(), "a file and the other a directory") {
		t.Errorf("got %v", err)
	}
	wantContents(t, o.Destination, files{"x": ""})
}

// Were this found out only after the new release is in place, the old one could not be kept.
func TestSwitchFindsOldReleasesPlaceTaken(t *testing.T) {
	each(t, func(t *testing.T, method string) {
		s := install.Force(newSite(t), method)
		update(t, s, "one", "", files{"version": "1"})
		stage(t, s, "two", tarball(t, files{"version": "2"}))
		write(t, filepath.Join(beside(s), "one", "tree", "x"), "by hand")
		if err := s.Switch("two", "one"); err == nil || !strings.Contains(err.Error(), "is in the way") {
			t.Errorf("got %v", err)
		}
		wantContents(t, s.Destination(), files{"version": "1"})
		wantContents(t, filepath.Join(beside(s), "one", "tree"), files{"x": "by hand"})
	})
}

func TestRenameCheckedReplacesNothing(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	write(t, filepath.Join(root.Name(), "a"), "a")
	write(t, filepath.Join(root.Name(), "b"), "b")
	if err := install.RenameChecked(root, "a", "b"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v, want fs.ErrExist", err)
	}
	wantContents(t, root.Name(), files{"a": "a", "b": "b"})
	if err := install.RenameChecked(root, "a", "c"); err != nil {
		t.Error(err)
	}
	wantContents(t, root.Name(), files{"b": "b", "c": "a"})
}
