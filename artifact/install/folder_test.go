//go:build linux

package install_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/dropship/dropship/artifact/install"
)

// TestSwapChild stages with a umask of its own, the second time so that what it has just made is swapped meanwhile.
// It is run by TestFolderIsMade and is nothing by itself.
func TestSwapChild(t *testing.T) {
	dir := os.Getenv("INSTALL_TEST_SWAP")
	if dir == "" {
		return
	}
	syscall.Umask(0o077)
	st, err := install.New(options(filepath.Join(dir, "other"))).Stage("one")
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Discard(); err != nil {
		t.Error(err)
	}
	s := install.New(options(filepath.Join(dir, "app")))
	install.OnCrashPoint(func(step string) {
		if step != "folder made" {
			return
		}
		if err := os.Rename(beside(s), filepath.Join(dir, "aside")); err != nil {
			t.Error(err)
		}
		symlink(t, "victim", beside(s))
	})
	_, err = s.Stage("one")
	fmt.Printf("staged: %v\n", err)
}

// Everybody can pass through the folder, whatever the umask; and whoever owns the parent directory cannot have
// another directory's mode changed.
func TestFolderIsMade(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	victim := filepath.Join(dir, "victim")
	mkdir(t, victim, 0o700)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSwapChild$")
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", "INSTALL_TEST_SWAP="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "staged: cannot stage") || !strings.Contains(string(out), "must be a directory") {
		t.Errorf("got %v\n%s", err, out)
	}
	if _, mode := owner(t, filepath.Join(dir, ".other.dropship")); mode != 0o711 {
		t.Errorf("mode of the folder: got %#o, want 0711", mode)
	}
	if _, mode := owner(t, victim); mode != 0o700 {
		t.Errorf("mode of the other directory: got %#o, want 0700", mode)
	}
	entries, err := os.ReadDir(victim)
	if err != nil || len(entries) > 0 {
		t.Errorf("in the other directory: got %v, %v, want nothing", entries, err)
	}
}
