//go:build linux

package install_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/dropship/dropship/artifact/install"
)

// What only somebody who is not root meets: directories that may not be written in.

// TestUnprivilegedChild is run as another user by TestUnprivileged, and is nothing by itself.
func TestUnprivilegedChild(t *testing.T) {
	dir := os.Getenv("INSTALL_TEST_UNPRIVILEGED")
	if dir == "" {
		return
	}
	t.Run("parent", func(t *testing.T) {
		err := install.New(options("/app")).Ready()
		if err == nil {
			t.Fatal("ready to install to /app")
		}
		for _, want := range []string{"uid 12345 must be able to write in /,", "permission denied"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q in it", err, want)
			}
		}
	})
	t.Run("owner", func(t *testing.T) {
		o := options(filepath.Join(dir, "owned"))
		for _, owner := range []struct {
			uid, gid int
			allowed  bool
		}{{-1, -1, true}, {12345, -1, true}, {12345, 12345, true}, {0, -1, false}, {-1, 0, false}} {
			o.Archive.UID, o.Archive.GID = owner.uid, owner.gid
			s := install.New(o)
			st, err := s.Stage("owned")
			if allowed := owner.allowed || os.Getenv("INSTALL_TEST_CHOWN") != ""; allowed {
				if err != nil {
					t.Errorf("%+v: %v", owner, err)
				} else if err := st.Discard(); err != nil {
					t.Error(err)
				}
			} else if err == nil || !strings.Contains(err.Error(), "uid 12345 may not give files to") || !strings.Contains(err.Error(), "run dropship as root, or remove them") {
				t.Errorf("%+v: got %v, want that it takes root", owner, err)
			}
			wantNoLeftovers(t, s)
		}
	})
	o := options(filepath.Join(dir, "app"))
	o.Keep = 0
	s := install.New(o)
	t.Run("prune", func(t *testing.T) {
		update(t, s, "one", "", files{"version": "1", "sub/dir/x": "y"})
		for _, name := range []string{"sub/dir", "sub"} {
			if err := os.Chmod(filepath.Join(o.Destination, name), 0o500); err != nil {
				t.Fatal(err)
			}
		}
		update(t, s, "two", "one", files{"version": "2"})
		if err := s.Prune(); err != nil {
			t.Fatal(err)
		}
		wantReleases(t, s, "two")
		wantNoLeftovers(t, s)
	})
	t.Run("seal", func(t *testing.T) {
		st, err := s.Stage("three")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := st.Unpack(t.Context(), bytes.NewReader(tarball(t, files{"version": "3"}))); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(beside(s), "stage-three", "tree"), 0o555); err != nil {
			t.Fatal(err)
		}
		if _, err := st.Seal(install.Release{}); err == nil || !strings.Contains(err.Error(), "topmost directory") {
			t.Errorf("a release that could not be renamed: got %v", err)
		}
		if err := st.Discard(); err != nil {
			t.Fatal(err)
		}
		wantNoLeftovers(t, s)
	})
}

func TestUnprivileged(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	t.Parallel()
	// A directory that the other user can reach, unlike those that a test gets.
	dir, err := os.MkdirTemp("", "install")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	mkdir(t, dir, 0o755)
	for _, name := range []string{"work", "tmp"} {
		mkdir(t, filepath.Join(dir, name), 0o755)
		if err := os.Chown(filepath.Join(dir, name), 12345, 12345); err != nil {
			t.Fatal(err)
		}
	}
	// Not copied by this process: a test that forks meanwhile would hold the copy open for writing, and
	// nobody may execute it then.
	child := filepath.Join(dir, "child")
	if out, err := exec.CommandContext(t.Context(), "cp", os.Args[0], child).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v\n%s", err, out)
	}
	if err := os.Chmod(child, 0o755); err != nil {
		t.Fatal(err)
	}
	run := func(which, last, chown string, capabilities ...uintptr) {
		cmd := exec.CommandContext(t.Context(), child, "-test.run=^TestUnprivilegedChild$"+which, "-test.v")
		cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", "TMPDIR="+filepath.Join(dir, "tmp"),
			"INSTALL_TEST_UNPRIVILEGED="+filepath.Join(dir, "work"), "INSTALL_TEST_CHOWN="+chown)
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 12345, Gid: 12345}, AmbientCaps: capabilities}
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "PASS: TestUnprivilegedChild/"+last) {
			t.Errorf("as uid 12345, with capabilities %v: %v\n%s", capabilities, err, out)
		}
	}
	run("", "seal", "")
	run("/^owner$", "owner", "yes", unix.CAP_CHOWN)
}
