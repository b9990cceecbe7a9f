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

// TestRightsChild is run by the tests below in a process of its own, and is nothing by itself.
func TestRightsChild(t *testing.T) {
	dir := os.Getenv("INSTALL_TEST_RIGHTS")
	if dir == "" {
		return
	}
	o := options(filepath.Join(dir, "made", "app"))
	o.Persist = []string{"var/data"}
	s := install.New(o)
	if os.Getenv("INSTALL_TEST_UMASK") != "" {
		var mask int
		if _, err := fmt.Sscanf(os.Getenv("INSTALL_TEST_UMASK"), "%o", &mask); err != nil {
			t.Fatal(err)
		}
		syscall.Umask(mask)
		unlock, err := s.Lock()
		if err != nil {
			t.Fatal(err)
		}
		defer unlock()
		update(t, s, "one", "", files{"version": "1", "sub/file": "x"})
		update(t, s, "two", "one", files{"version": "2", "sub/file": "x"})
		return
	}
	// Whoever owns the parent puts something else there as soon as the folder was checked.
	update(t, s, "one", "", files{"version": "1"})
	victim := filepath.Join(dir, "made", "victim")
	install.OnFolderChecked(func() {
		if err := os.Rename(beside(s), beside(s)+"-aside"); err != nil {
			t.Error(err)
		}
		var err error
		switch os.Getenv("INSTALL_TEST_SWAP_FOR") {
		case "link":
			err = os.Symlink("victim", beside(s))
		case "directory":
			err = os.Rename(victim, beside(s))
		}
		if err != nil {
			t.Error(err)
		}
	})
	fmt.Printf("recover: %v\n", s.Recover())
	if os.Getenv("INSTALL_TEST_SWAP_FOR") == "directory" {
		if err := os.Rename(beside(s), victim); err != nil {
			t.Error(err)
		}
	}
}

func asChild(t *testing.T, dir string, uid uint32, env ...string) string {
	t.Helper()
	child := os.Args[0]
	if uid != 0 {
		child = filepath.Join(dir, "child")
		if out, err := exec.CommandContext(t.Context(), "install", "-m", "755", os.Args[0], child).CombinedOutput(); err != nil {
			t.Fatalf("install: %v\n%s", err, out)
		}
	}
	cmd := exec.CommandContext(t.Context(), child, "-test.run=^TestRightsChild$")
	cmd.Env = append(os.Environ(), append(env, "GORACE=atexit_sleep_ms=0", "TMPDIR="+dir, "INSTALL_TEST_RIGHTS="+filepath.Join(dir, "work"))...)
	cmd.Dir = "/"
	if uid != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the child: %v\n%s", err, out)
	}
	return string(out)
}

// public makes a directory that every user can reach, with a directory "work" that belongs to uid.
func public(t *testing.T, uid int) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rights")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	work := filepath.Join(dir, "work")
	mkdir(t, work, 0o755)
	if err := os.Chown(work, uid, uid); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Every mode is the documented one whatever the umask, also for who is not root and so needs the bits.
func TestModesWhateverTheUmask(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	for _, uid := range []uint32{0, 12345} {
		for _, umask := range []string{"0777", "0000", "0077"} {
			t.Run(fmt.Sprintf("%d/%s", uid, umask), func(t *testing.T) {
				t.Parallel()
				dir := public(t, int(uid))
				asChild(t, dir, uid, "INSTALL_TEST_UMASK="+umask)
				folder := "made/.app.dropship"
				for name, want := range map[string]os.FileMode{
					"made": 0o755, "made/app": 0o755, "made/app/version": 0o644, "made/app/sub": 0o755, "made/app/sub/file": 0o644,
					folder: 0o711, folder + "/lock": 0o600, folder + "/one": 0o711, folder + "/two": 0o711,
					folder + "/one/release.json": 0o600, folder + "/two/release.json": 0o600, folder + "/one/tree": 0o755,
					folder + "/persist": 0o711, folder + "/persist/var": 0o755, folder + "/persist/var/data": 0o755,
				} {
					if got := mode(t, filepath.Join(dir, "work", name)); got != want {
						t.Errorf("%s: got %#o, want %#o", name, got, want)
					}
				}
			})
		}
	}
}

func mode(t *testing.T, name string) os.FileMode {
	t.Helper()
	info, err := os.Lstat(name)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

// What was checked is what is used: neither a link nor another directory of ours that is put there in between.
func TestFolderSwappedAfterItsCheck(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"link", "directory"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			victim := filepath.Join(dir, "work", "made", "victim")
			for _, name := range []string{"stage-one/canary", "trash-one/canary", "lock", "two/release.json"} {
				write(t, filepath.Join(victim, name), "precious")
			}
			before := listing(t, victim)
			out := asChild(t, dir, 0, "INSTALL_TEST_SWAP_FOR="+kind)
			if after := listing(t, victim); after != before {
				t.Errorf("the other directory was\n%s\nand is\n%s", before, after)
			}
			if !strings.Contains(out, "it was replaced meanwhile") {
				t.Errorf("nothing was said of it:\n%s", out)
			}
		})
	}
}

func TestLinkOfAnotherUserIsNoWay(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	t.Parallel()
	dir := t.TempDir()
	mkdir(t, filepath.Join(dir, "real"), 0o755)
	link := filepath.Join(dir, "link")
	symlink(t, "real", link)
	s := install.New(options(filepath.Join(link, "new", "app")))
	check := func() []error {
		_, stage := s.Stage("one")
		return []error{s.Ready(), stage, s.Recover()}
	}
	if err := os.Lchown(link, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	for i, err := range check() {
		if err == nil || !strings.Contains(err.Error(), link+" is a symbolic link of uid 12345") {
			t.Errorf("%d: got %v, want that the link is refused", i, err)
		}
	}
	if got := listing(t, filepath.Join(dir, "real")); got != filepath.Join(dir, "real") {
		t.Errorf("behind the link is\n%s", got)
	}
	if err := os.Lchown(link, 0, 0); err != nil {
		t.Fatal(err)
	}
	update(t, s, "one", "", files{"version": "1"})
	wantContents(t, filepath.Join(dir, "real", "new", "app"), files{"version": "1"})
	if err := s.Recover(); err != nil {
		t.Error(err)
	}
}
