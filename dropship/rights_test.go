//go:build unix

package dropship_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dropship/dropship/dropship"
)

// A state directory in which others could put something is refused, with what to do about it.
func TestStateDirectoryMustBeOurs(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		prepare func(dir string) error
		want    string
	}{
		"made":           {func(string) error { return nil }, ""},
		"ours":           {func(dir string) error { return os.Mkdir(dir, 0o755) }, ""},
		"world-writable": {func(dir string) error { _ = os.Mkdir(dir, 0o700); return os.Chmod(dir, 0o777) }, "chmod go-w"},
		"group-writable": {func(dir string) error { _ = os.Mkdir(dir, 0o700); return os.Chmod(dir, 0o770) }, "chmod go-w"},
		"another user's": {func(dir string) error { _ = os.Mkdir(dir, 0o700); return os.Chown(dir, 12345, 12345) }, "it belongs to uid 12345"},
		"a file":         {func(dir string) error { return os.WriteFile(dir, nil, 0o600) }, "it is no directory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "another user's" && os.Geteuid() != 0 {
				t.Skip("only root can give files away")
			}
			dir := filepath.Join(t.TempDir(), "state")
			if err := test.prepare(dir); err != nil {
				t.Fatal(err)
			}
			unlock, err := dropship.NewStore(dir).Lock("web")
			if err == nil {
				unlock()
			}
			if test.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), dir) {
				t.Errorf("got %v, want %q and the directory in it", err, test.want)
			}
			if _, err := os.Lstat(filepath.Join(dir, "web.lock")); err == nil {
				t.Error("a lock was made all the same")
			}
		})
	}
}

// A link among the states is never gone through, whatever it leads to.
func TestNothingOfAStateGoesThroughALink(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"web.lock", "web.json", "web.json.copy"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			victim, link := filepath.Join(dir, "victim"), filepath.Join(dir, "state", name)
			if err := os.Mkdir(filepath.Dir(link), 0o700); err != nil {
				t.Fatal(err)
			}
			for _, there := range []bool{false, true} {
				if there {
					if err := errors.Join(os.WriteFile(victim, []byte("precious"), 0o644), os.Chmod(victim, 0o644)); err != nil {
						t.Fatal(err)
					}
				}
				_ = os.Remove(link)
				if err := os.Symlink(victim, link); err != nil {
					t.Fatal(err)
				}
				store := dropship.NewStore(filepath.Dir(link))
				unlock, err := store.Lock("web")
				if err == nil {
					unlock()
				}
				if locked := err == nil; locked == (name == "web.lock") {
					t.Errorf("the lock: got %v", err)
				}
				err = store.Save(&dropship.State{Version: 1, Service: "web"})
				if err != nil {
					t.Error(err)
				}
				info, err := os.Lstat(victim)
				if !there && err == nil {
					t.Error("what the link leads to was made")
				}
				if there {
					b, _ := os.ReadFile(victim)
					if err != nil || string(b) != "precious" || info.Mode().Perm() != 0o644 {
						t.Errorf("what the link leads to: %q, %v, %v", b, info, err)
					}
				}
			}
		})
	}
}
