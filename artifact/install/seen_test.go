//go:build linux

package install_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/dropship/dropship/artifact/install"
)

// Who asks every few seconds what is at the destination learns of every change at once, whoever made it and however.
func TestCurrentNoticesEachChange(t *testing.T) {
	t.Parallel()
	move := func(from, to string) func(*testing.T, *install.Site) {
		return func(t *testing.T, s *install.Site) {
			if err := os.Rename(filepath.Join(beside(s), from), filepath.Join(filepath.Dir(s.Destination()), to)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		change func(*testing.T, *install.Site)
		want   string // ID; empty: nothing, or none of ours
		fails  bool
	}{
		"nothing": {change: func(*testing.T, *install.Site) {}, want: "2"},
		"the application writes its files": {want: "2", change: func(t *testing.T, s *install.Site) {
			write(t, filepath.Join(s.Destination(), "new"), "1")
		}},
		"deleted": {change: func(t *testing.T, s *install.Site) { removeAll(t, s.Destination()) }},
		// ext4 gives the new directory the inode number that the old one had.
		"restored from a backup, with its times": {change: func(t *testing.T, s *install.Site) {
			to := s.Destination()
			for _, line := range [][]string{{"cp", "-a", to, to + ".bak"}, {"rm", "-r", to}, {"cp", "-a", to + ".bak", to}} {
				if out, err := exec.CommandContext(t.Context(), line[0], line[1:]...).CombinedOutput(); err != nil {
					t.Fatalf("%q: %v\n%s", line, err, out)
				}
			}
		}},
		"another process switched back": {want: "1", change: func(t *testing.T, s *install.Site) {
			if err := install.New(s.Options()).Switch("1", "2"); err != nil {
				t.Fatal(err)
			}
		}},
		"an older tree put there by hand": {want: "1", change: func(t *testing.T, s *install.Site) {
			removeAll(t, s.Destination())
			move("1/tree", filepath.Base(s.Destination()))(t, s)
		}},
		"the release's record is gone": {change: move("2", "elsewhere")},
		"the folder is gone":           {change: func(t *testing.T, s *install.Site) { removeAll(t, beside(s)) }},
		"others may write in the folder": {fails: true, change: func(t *testing.T, s *install.Site) {
			if err := os.Chmod(beside(s), 0o777); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			update(t, s, "1", "", files{"version": "1"})
			update(t, s, "2", "1", files{"version": "2"})
			wantCurrent(t, s, "2")
			wantCurrent(t, s, "2")
			c.change(t, s)
			for range 2 {
				r, _, err := s.Current()
				if r.ID != c.want || (err != nil) != c.fails {
					t.Errorf("got %q, error %v, want %q and an error: %t", r.ID, err, c.want, c.fails)
				}
			}
		})
	}
}
