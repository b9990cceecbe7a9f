//go:build linux

package install_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dropship/dropship/artifact/install"
)

// neighbour makes the data of another service beside the destination. Nothing may happen to it.
func neighbour(t *testing.T, s *install.Site) (check func()) {
	t.Helper()
	other := filepath.Join(filepath.Dir(s.Destination()), "other")
	write(t, filepath.Join(other, "data", "db"), "precious")
	return func() {
		t.Helper()
		if got, want := listing(t, other), strings.Join([]string{other, other + "/data", other + "/data/db"}, "\n"); got != want {
			t.Errorf("the other service has\n%s\nwant\n%s", got, want)
		}
		wantContents(t, other, files{"data/db": "precious"})
	}
}

func wantNoWay(t *testing.T, err error, link string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), "cannot persist var/data") || !strings.Contains(err.Error(), link+" must be a directory") {
		t.Errorf("got %v, want that %s must be a directory", err, link)
	}
}

func replaceByLink(t *testing.T, name, target string) {
	t.Helper()
	if err := os.RemoveAll(name); err != nil {
		t.Fatal(err)
	}
	symlink(t, target, name)
}

// The application can put a link anywhere in its own directory. It is no way to what belongs to others.
func TestPersistAdoptsNothingThroughLink(t *testing.T) {
	each(t, func(t *testing.T, method string) {
		s := install.Force(newSite(t, "var/data"), method)
		check := neighbour(t, s)
		write(t, filepath.Join(s.Destination(), "version"), "0")
		link := filepath.Join(s.Destination(), "var")
		symlink(t, "../other", link)
		stage(t, s, "one", tarball(t, files{"version": "1"}))
		for range 2 {
			wantNoWay(t, s.Switch("one", "hand"), link)
			check()
			wantContents(t, s.Destination(), files{"version": "0", "var/data/db": "precious"})
			wantNoLeftovers(t, s)
		}
		if err := os.Remove(link); err != nil {
			t.Fatal(err)
		}
		if err := s.Switch("one", "hand"); err != nil {
			t.Fatal(err)
		}
		wantContents(t, s.Destination(), files{"version": "1", "var/data/": ""})
		check()
	})
}

// Nor in persist, where directories on the way to the data are the application's.
func TestPersistPlacesNothingThroughLink(t *testing.T) {
	each(t, func(t *testing.T, method string) {
		s := install.Force(newSite(t, "var/data"), method)
		check := neighbour(t, s)
		write(t, filepath.Join(s.Destination(), "var", "data", "db"), "live")
		stage(t, s, "one", tarball(t, files{"version": "1"}))
		mkdir(t, filepath.Join(beside(s), "persist"), 0o711)
		link := filepath.Join(beside(s), "persist", "var")
		replaceByLink(t, link, "../../empty")
		mkdir(t, filepath.Join(filepath.Dir(s.Destination()), "empty"), 0o755)
		wantNoWay(t, s.Switch("one", "hand"), link)
		check()
		wantContents(t, filepath.Join(filepath.Dir(s.Destination()), "empty"), files{"./": ""})
		wantContents(t, s.Destination(), files{"var/data/db": "live"})
	})
}

func TestPersistLinksNothingThroughLink(t *testing.T) {
	each(t, func(t *testing.T, method string) {
		s := install.Force(newSite(t, "var/data"), method)
		check := neighbour(t, s)
		update(t, s, "one", "", files{"version": "1"})
		update(t, s, "two", "one", files{"version": "2"})
		link := filepath.Join(beside(s), "one", "tree", "var") // made while release one was current
		replaceByLink(t, link, "../../../other")
		wantNoWay(t, s.Switch("one", "two"), link)
		check()
		wantContents(t, s.Destination(), files{"version": "2", "var/data/": ""})
	})
}

func TestSealRefusesPersistThroughLink(t *testing.T) {
	s := newSite(t, "var/data")
	st, err := s.Stage("one")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Unpack(t.Context(), bytes.NewReader(tarball(t, files{"lib/data/x": "y"}))); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(beside(s), "stage-one", "tree", "var")
	symlink(t, "lib", link)
	_, err = st.Seal(install.Release{})
	wantNoWay(t, err, link)
	wantContents(t, filepath.Join(beside(s), "stage-one", "tree", "lib"), files{"data/x": "y"})
}

func TestRecoverLinksNothingThroughLink(t *testing.T) {
	s := newSite(t, "var/data")
	update(t, s, "one", "", files{"version": "1"})
	stage(t, s, "two", tarball(t, files{"version": "2"}))
	link := filepath.Join(s.Destination(), "var")
	replaceByLink(t, link, "../empty")
	empty := filepath.Join(filepath.Dir(s.Destination()), "empty")
	mkdir(t, empty, 0o755)
	intent := filepath.Join(beside(s), "switch.json")
	write(t, intent, `{"to": "two", "from": "one", "adopt": ["var/data"]}`)
	wantNoWay(t, s.Recover(), link)
	wantContents(t, empty, files{"./": ""})
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	mkdir(t, link, 0o755)
	if err := s.Recover(); err != nil {
		t.Fatal(err)
	}
	wantContents(t, s.Destination(), files{"version": "1", "var/data/": ""})
}

// Whatever is put in the way after a look at it, a rename goes through no link.
func TestRenamesGoThroughNoLink(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	write(t, filepath.Join(dir, "other", "data"), "precious")
	write(t, filepath.Join(dir, "mine"), "mine")
	symlink(t, "other", filepath.Join(dir, "var"))
	for name, rename := range map[string]func(root *os.Root, a, b string) error{
		"exchange": install.Exchange, "rename": install.RenameNew,
	} {
		for _, names := range [][2]string{{"var/data", "mine"}, {"mine", "var/data"}, {"var/data", "new"}, {"mine", "var/new"}} {
			if err := rename(root, names[0], names[1]); err == nil {
				t.Errorf("%s of %s with %s went through a link", name, names[0], names[1])
			}
		}
	}
	wantContents(t, dir, files{"mine": "mine", "other/data": "precious", "var/data": "precious"})
}
