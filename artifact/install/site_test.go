//go:build linux

package install_test

import (
	"archive/tar"
	"bytes"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropship/dropship/artifact/archive"
	"github.com/dropship/dropship/artifact/install"
)

var methods = []string{install.MethodExchange, install.MethodTwoRenames}

// files are what a release consists of: names and contents. A name that ends in "/" is a directory.
type files map[string]string

// tarball packs f.
func tarball(t testing.TB, f files) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(f)) {
		h := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(f[name])), Typeflag: tar.TypeReg}
		if strings.HasSuffix(name, "/") {
			h.Mode, h.Typeflag = 0o755, tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(f[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func options(destination string) install.Options {
	return install.Options{
		Destination: destination,
		Archive:     archive.Options{Format: archive.Tar, UID: -1, GID: -1},
		Keep:        3,
	}
}

// newSite returns a site in a directory of its own.
func newSite(t testing.TB, persist ...string) *install.Site {
	t.Helper()
	o := options(filepath.Join(t.TempDir(), "srv", "app"))
	o.Persist = persist
	return install.New(o)
}

// stage makes release id of packed bytes.
func stage(t testing.TB, s *install.Site, id string, packed []byte) install.Release {
	t.Helper()
	st, err := s.Stage(id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Unpack(t.Context(), bytes.NewReader(packed)); err != nil {
		t.Fatal(err)
	}
	r, err := st.Seal(install.Release{Hash: "hash of " + id})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// update stages release id and makes it current.
func update(t testing.TB, s *install.Site, id, from string, f files) {
	t.Helper()
	stage(t, s, id, tarball(t, f))
	if err := s.Switch(id, from); err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, 0o644); err != nil { // whatever the umask
		t.Fatal(err)
	}
}

func read(t testing.TB, elem ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(elem...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// contents is what an application finds at name: links are followed. Nothing there is nil.
// The content of a file itself is that of ".".
func contents(t testing.TB, name string) files {
	t.Helper()
	if _, err := os.Lstat(name); os.IsNotExist(err) {
		return nil
	}
	found := files{}
	collect(t, found, name, ".")
	return found
}

// collect adds what is at path below top. Only empty directories appear themselves.
func collect(t testing.TB, found files, top, path string) {
	t.Helper()
	name := filepath.Join(top, path)
	info, err := os.Stat(name)
	if os.IsNotExist(err) {
		found[path] = "a link that leads nowhere"
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if !info.IsDir() {
		found[path] = read(t, name)
		return
	}
	entries, err := os.ReadDir(name)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) == 0 {
		found[path+"/"] = ""
	}
	for _, e := range entries {
		collect(t, found, top, filepath.Join(path, e.Name()))
	}
}

func wantContents(t testing.TB, name string, want files) {
	t.Helper()
	if diff := cmp.Diff(want, contents(t, name)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func wantCurrent(t testing.TB, s *install.Site, want string) {
	t.Helper()
	r, ok, err := s.Current()
	if err != nil {
		t.Fatal(err)
	}
	if got := r.ID; got != want || ok != (want != "") {
		t.Errorf("current: got %q, %v, want %q", got, ok, want)
	}
}

func wantReleases(t testing.TB, s *install.Site, want ...string) {
	t.Helper()
	releases, err := s.Releases()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range releases {
		got = append(got, r.ID)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("releases (-want +got):\n%s", diff)
	}
}

// beside returns the folder beside the destination.
func beside(s *install.Site) string {
	parent, name := filepath.Split(s.Destination())
	return filepath.Join(parent, "."+name+".dropship")
}

// leftovers are the names beside the destination that only something unfinished has.
func leftovers(t testing.TB, s *install.Site) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(beside(s), func(path string, e fs.DirEntry, err error) error {
		base := filepath.Base(path)
		if strings.HasPrefix(path, filepath.Join(beside(s), "persist")) && e.Type() == fs.ModeSymlink {
			found = append(found, path) // prepares an adoption
		}
		if strings.HasPrefix(base, "stage-") || strings.HasPrefix(base, "trash-") || base == "switch.json" {
			found = append(found, path)
		}
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return found
}

func wantNoLeftovers(t testing.TB, s *install.Site) {
	t.Helper()
	if got := leftovers(t, s); len(got) > 0 {
		t.Errorf("left over: %q", got)
	}
}

func removeAll(t testing.TB, name string) {
	t.Helper()
	if err := os.RemoveAll(name); err != nil {
		t.Fatal(err)
	}
}
