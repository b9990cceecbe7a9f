//go:build linux

package install_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/dropship/dropship/artifact/install"
)

func wantBusy(t *testing.T, s *install.Site) {
	t.Helper()
	_, err := s.Lock()
	if !errors.Is(err, install.ErrBusy) || !strings.Contains(err.Error(), s.Destination()) {
		t.Errorf("got %v, want %v and the destination's name", err, install.ErrBusy)
	}
}

func lock(t *testing.T, s *install.Site) (unlock func()) {
	t.Helper()
	unlock, err := s.Lock()
	if err != nil {
		t.Fatal(err)
	}
	return unlock
}

func TestLock(t *testing.T) {
	t.Parallel()
	s := newSite(t) // nothing is there, not even the parent
	same := install.New(s.Options())
	unlock := lock(t, s)
	wantBusy(t, same)
	wantBusy(t, s)
	neighbour := install.New(options(filepath.Join(filepath.Dir(s.Destination()), "neighbour")))
	defer lock(t, neighbour)()

	unlock()
	second := lock(t, same)
	unlock() // once more, which is not the other's unlock
	wantBusy(t, s)
	second()

	if _, mode := owner(t, beside(s)); mode != 0o711 {
		t.Errorf("mode of the folder: got %#o, want 0711", mode)
	}
	if _, mode := owner(t, filepath.Join(beside(s), "lock")); mode != 0o600 {
		t.Errorf("mode of the lock: got %#o, want 0600", mode)
	}
}

// The file is no release, and whoever holds it can install.
func TestLockIsNoRelease(t *testing.T) {
	t.Parallel()
	o := options(filepath.Join(t.TempDir(), "app"))
	o.Keep = 0
	s := install.New(o)
	defer lock(t, s)()
	update(t, s, "one", "", files{"version": "1"})
	update(t, s, "two", "one", files{"version": "2"})
	for _, work := range []func() error{s.Recover, s.Prune} {
		if err := work(); err != nil {
			t.Fatal(err)
		}
		wantBusy(t, install.New(o))
	}
	wantReleases(t, s, "two")
	if _, err := s.Stage("lock"); err == nil {
		t.Error("a release could take the name of the lock")
	}
}

// TestLockChild holds the lock until it is killed. It is run by TestLockOfKilledProcess and is nothing by itself.
func TestLockChild(t *testing.T) {
	destination := os.Getenv("INSTALL_TEST_LOCK")
	if destination == "" {
		return
	}
	defer lock(t, install.New(options(destination)))()
	fmt.Println("locked")
	<-t.Context().Done()
}

func TestLockOfKilledProcess(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLockChild$")
	cmd.Env = append(os.Environ(), "INSTALL_TEST_LOCK="+s.Destination())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "locked\n" {
		t.Errorf("the child said %q, %v", line, err)
	}
	wantBusy(t, s)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the child ended by itself")
	}
	lock(t, s)()
}

// A child process that is forked, and has not executed yet, has a copy of every descriptor.
func TestUnlockedWhileForking(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	unlock := lock(t, s)
	fd := descriptor(t, filepath.Join(beside(s), "lock"))
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	if err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("got the flags %#x, %v of the lock, want it closed in programs that are executed", flags, err)
	}
	fork, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fork) }()
	unlock()
	lock(t, s)()
}

// descriptor returns the one of this process that name is open as.
func descriptor(t *testing.T, name string) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && target == name {
			var fd int
			if _, err := fmt.Sscan(e.Name(), &fd); err != nil {
				t.Fatal(err)
			}
			return fd
		}
	}
	t.Fatalf("%s is not open", name)
	return -1
}

func TestLockRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		prepare func(t *testing.T, dir string)
		want    string
	}{
		"lock is a link": {func(t *testing.T, dir string) {
			mkdir(t, dir+"/.app.dropship", 0o711)
			symlink(t, "../victim", dir+"/.app.dropship/lock")
		}, "symbolic links"},
		"folder is a link": {func(t *testing.T, dir string) {
			mkdir(t, dir+"/elsewhere", 0o711)
			symlink(t, "elsewhere", dir+"/.app.dropship")
		}, "must be a directory"},
		"folder of everybody": {func(t *testing.T, dir string) {
			mkdir(t, dir+"/.app.dropship", 0o777)
		}, "can be written by others"},
		"not ready": {func(t *testing.T, dir string) {
			symlink(t, "elsewhere", dir+"/app")
		}, "name the directory or file it leads to"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			tt.prepare(t, dir)
			before := listing(t, dir)
			s := install.New(options(filepath.Join(dir, "app")))
			_, err := s.Lock()
			if err == nil || errors.Is(err, install.ErrBusy) || !strings.Contains(err.Error(), tt.want) ||
				!strings.HasPrefix(err.Error(), "cannot lock "+s.Destination()+": ") {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if after := listing(t, dir); after != before {
				t.Errorf("something was written:\n%s\nbefore:\n%s", after, before)
			}
		})
	}
}
