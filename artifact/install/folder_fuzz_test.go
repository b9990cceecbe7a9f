//go:build linux

package install_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/dropship/dropship/artifact/install"
)

// FuzzFolder wants that whatever is in release.json and switch.json, no release's file is lost or changed, what is
// at the destination stays as it is, and nothing outside is touched. Where the destination is absent, as a crash
// between two renames leaves it, a whole release comes there or none.
//
// @live, @old and @new in the bytes stand for the inodes of the three trees, which no seed can know.
func FuzzFolder(f *testing.F) {
	const record = `{"id": "old", "hash": "0123", "staged": "2026-01-02T03:04:05Z", "inode": @old}`
	for _, seed := range []struct{ release, intent string }{
		{record, ``},
		{record, `{"to": "new", "from": "old"}`},
		{record, `{"to": "live", "from": "old", "adopt": ["data", "x/../../neighbours", "data/y"]}`},
		{record, `{"to": "old", "from": "live", "adopt": ["/etc", "link/x", ".", "version/x"]}`},
		{record, `{"to": "..", "from": "persist"}`},
		{record, `{"to": "gone", "from": "gone too"}`},
		{`{"id": "old", "inode": @live}`, `null`},
		{`{"id": "old", "inode": @new, "born": 1}`, `[]`},
		{`{"id": "old", "inode": 0}`, `{"to": "old", "from": "new", "adopt": [null, "a\u0000"]}`},
		{`{"id": "../new", "inode": @live}`, `{"to": 5}`},
		{`{"id": "live", "inode": @live}`, `{`},
		{``, `{"to": "old", "from": "old"}`},
		{"\xff", "\xff"},
	} {
		for _, absent := range []bool{false, true} {
			f.Add([]byte(seed.release), []byte(seed.intent), absent)
		}
	}
	if memory, err := os.MkdirTemp("/dev/shm", "dropship-"); err == nil { // there a sync takes no time
		f.Cleanup(func() { os.RemoveAll(memory) })
		f.Setenv("TMPDIR", memory)
	}
	f.Fuzz(func(t *testing.T, release, intent []byte, absent bool) {
		s := newSite(t, "data")
		want := layOut(t, s, release, intent, absent)
		here := contents(t, s.Destination())

		r, ok, err := s.Current()
		if err != nil || ok && (absent || r.ID != "live" && r.ID != "old") {
			t.Errorf("current: got %+v, %t, %v", r, ok, err)
		}
		releases, err := s.Releases()
		if err != nil {
			t.Errorf("releases: %v", err)
		}
		for _, r := range releases {
			if !slices.Contains([]string{"live", "old", "new"}, r.ID) {
				t.Errorf("got a release %q, which has no folder", r.ID)
			}
		}
		checkKept(t, s, want, here)

		first := s.Recover()
		checkKept(t, s, want, here)
		if first == nil {
			now := contents(t, s.Destination())
			if err := s.Recover(); err != nil {
				t.Errorf("recovered, and then: %v", err)
			}
			checkKept(t, s, want, now)
			wantNoLeftovers(t, s)
		}
		here = contents(t, s.Destination())
		_ = s.Prune() // it may remove releases, whatever their records say; the destination is none of its
		if got := contents(t, s.Destination()); !maps.Equal(got, here) {
			t.Errorf("pruning changed the destination: got %v, want %v", got, here)
		}
	})
}

// layOut makes a site by hand: three releases, of which live is at the destination unless that is absent. It
// returns how often each file is there, by what is in it.
func layOut(t *testing.T, s *install.Site, release, intent []byte, absent bool) map[string]int {
	t.Helper()
	folder := beside(s)
	tree := func(id string) string {
		if id == "live" && !absent {
			return s.Destination()
		}
		return filepath.Join(folder, id, "tree")
	}
	write(t, filepath.Join(filepath.Dir(s.Destination()), "neighbours", "file"), "another's")
	write(t, filepath.Join(folder, "persist", "data", "db"), "data")
	var inodes []string
	for _, id := range []string{"live", "old", "new"} {
		write(t, filepath.Join(tree(id), "version"), id)
		info, err := os.Stat(tree(id))
		if err != nil {
			t.Fatal(err)
		}
		inodes = append(inodes, "@"+id, fmt.Sprint(info.Sys().(*syscall.Stat_t).Ino))
	}
	if err := os.Symlink("../neighbours", filepath.Join(tree("live"), "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../.app.dropship/persist/data", filepath.Join(tree("live"), "data")); err != nil {
		t.Fatal(err)
	}
	known := strings.NewReplacer(inodes...)
	for id, text := range map[string]string{
		"live": `{"id": "live", "hash": "live", "inode": @live}`, "new": `{"id": "new", "hash": "new", "inode": @new}`, "old": string(release),
	} {
		write(t, filepath.Join(folder, id, "release.json"), known.Replace(text))
	}
	write(t, filepath.Join(folder, "switch.json"), known.Replace(string(intent)))
	return versions(t, s)
}

// versions counts the files of releases and of persistent paths, by their content, wherever they are.
func versions(t *testing.T, s *install.Site) map[string]int {
	t.Helper()
	found := map[string]int{}
	err := filepath.WalkDir(filepath.Dir(s.Destination()), func(path string, e os.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && filepath.Ext(path) != ".json" {
			found[read(t, path)]++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func checkKept(t *testing.T, s *install.Site, want map[string]int, here files) {
	t.Helper()
	if got := versions(t, s); !maps.Equal(got, want) {
		t.Errorf("got these files, by content: %v, want %v", got, want)
	}
	got := contents(t, s.Destination())
	if here != nil && !maps.Equal(got, here) {
		t.Errorf("the destination: got %v, want %v", got, here)
	}
	if here == nil && got != nil && (got["version"] == "" || got["version"] == "another's") {
		t.Errorf("the destination, which was absent: got %v", got)
	}
}
