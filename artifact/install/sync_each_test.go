//go:build unix

package install_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/dropship/dropship/artifact/install"
)

// Where no call makes a whole file system durable, each file and each directory is synced, and what is neither is not
// opened: a named pipe would be waited for.
func TestSyncEach(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "bin", "app"), "1")
	write(t, filepath.Join(dir, "VERSION"), "1")
	mkdir(t, filepath.Join(dir, "empty"), 0o755)
	symlink(t, "nowhere", filepath.Join(dir, "dangling"))
	if err := unix.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()

	var got []string
	err = install.SyncEach(root, func(root *os.Root, name string, isDir bool) error {
		if isDir {
			got = append(got, name+"/")
		} else {
			got = append(got, name)
		}
		return install.SyncOne(root, name, isDir)
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	if diff := cmp.Diff(got, []string{"./", "VERSION", "bin/", "bin/app", "empty/"}); diff != "" {
		t.Errorf("synced (-got +want)\n%s", diff)
	}

	broken := errors.New("input/output error")
	err = install.SyncEach(root, func(_ *os.Root, name string, _ bool) error {
		if name == "bin/app" {
			return broken
		}
		return nil
	})
	if !errors.Is(err, broken) {
		t.Errorf("got %v, want the error of the file that could not be synced", err)
	}
}
