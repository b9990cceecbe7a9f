//go:build linux

package install_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/dropship/dropship/artifact/archive"
	"github.com/dropship/dropship/artifact/install"
)

func owner(t *testing.T, name string) (uid, mode uint32) {
	t.Helper()
	info, err := os.Lstat(name)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Uid, uint32(info.Mode().Perm())
}

// mount mounts at path, or skips where that is not allowed.
func mount(t *testing.T, source, path, kind string, flags uintptr, data string) {
	t.Helper()
	if err := unix.Mount(source, path, kind, flags, data); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("cannot mount: %v", err)
		}
		t.Skipf("cannot mount: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(path, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

func mkdir(t *testing.T, name string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(name, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, mode); err != nil {
		t.Fatal(err)
	}
}

func TestReady(t *testing.T) {
	for _, tt := range []struct {
		name        string
		destination string // below the directory of the test, if not absolute
		file        bool
		prepare     func(t *testing.T, dir string)
		want        string // part of the error; empty: ready
	}{
		{"nothing there", "srv/app", false, nil, ""},
		{"missing parents", "a/b/c/app", false, nil, ""},
		{"directory", "app", false, func(t *testing.T, dir string) { mkdir(t, dir+"/app", 0o755) }, ""},
		{"file", "app", true, func(t *testing.T, dir string) { write(t, dir+"/app", "") }, ""},
		{"root", "/", false, nil, "install into a directory below it"},
		{
			"file over directory", "app", true, func(t *testing.T, dir string) { mkdir(t, dir+"/app", 0o755) },
			"a plain file never replaces an existing directory",
		},
		{
			"archive over file", "app", false, func(t *testing.T, dir string) { write(t, dir+"/app", "") },
			`set type = "file"`,
		},
		{
			"symbolic link", "app", false, func(t *testing.T, dir string) { symlink(t, "real", dir+"/app") },
			"name the directory or file it leads to",
		},
		{"fifo", "app", false, func(t *testing.T, dir string) {
			if err := unix.Mkfifo(dir+"/app", 0o600); err != nil {
				t.Fatal(err)
			}
		}, "neither a directory nor a file"},
		{
			"parent is a file", "srv/app", false, func(t *testing.T, dir string) { write(t, dir+"/srv", "") },
			"srv is not a directory, so nothing can be below it",
		},
		{
			"grandparent is a file", "srv/a/b/app", false, func(t *testing.T, dir string) { write(t, dir+"/srv", "") },
			"srv is not a directory, so nothing can be below it",
		},
		{
			"parent is a dangling link", "srv/app", false, func(t *testing.T, dir string) { symlink(t, "gone", dir+"/srv") },
			"leads nowhere",
		},
		{"folder is a link", "app", false, func(t *testing.T, dir string) {
			mkdir(t, dir+"/elsewhere", 0o700)
			symlink(t, "elsewhere", dir+"/.app.dropship")
		}, ".app.dropship must be a directory"},
		{"folder is writable by others", "app", false, func(t *testing.T, dir string) {
			mkdir(t, dir+"/.app.dropship", 0o733)
		}, "can be written by others (mode 0733)"},
		{"folder of somebody else", "app", false, func(t *testing.T, dir string) {
			mkdir(t, dir+"/.app.dropship", 0o711)
			if err := os.Chown(dir+"/.app.dropship", 1234, -1); err != nil {
				t.Skip("only root can give files away")
			}
		}, "belongs to uid 1234"},
		{"mount point", "app", false, func(t *testing.T, dir string) {
			mkdir(t, dir+"/app", 0o755)
			mount(t, "tmpfs", dir+"/app", "tmpfs", 0, "size=64k")
		}, "it is a mount point, which cannot be renamed; install into a directory below it"},
		{"bind mount of the same file system", "app", false, func(t *testing.T, dir string) {
			mkdir(t, dir+"/app", 0o755)
			mkdir(t, dir+"/other", 0o755)
			mount(t, dir+"/other", dir+"/app", "", unix.MS_BIND, "")
		}, "it is a mount point"},
		{"folder is a mount point", "app", false, func(t *testing.T, dir string) {
			mkdir(t, dir+"/.app.dropship", 0o711)
			mount(t, "tmpfs", dir+"/.app.dropship", "tmpfs", 0, "size=64k,mode=0711")
		}, "releases cannot be renamed out of it"},
		{"below a mount point", "mnt/app", false, func(t *testing.T, dir string) {
			mkdir(t, dir+"/mnt", 0o755)
			mount(t, "tmpfs", dir+"/mnt", "tmpfs", 0, "size=64k")
		}, ""},
		{"read-only file system", "mnt/app", false, func(t *testing.T, dir string) {
			mkdir(t, dir+"/mnt", 0o755)
			mount(t, "tmpfs", dir+"/mnt", "tmpfs", unix.MS_RDONLY, "size=64k")
		}, "read-only file system"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if tt.prepare != nil {
				tt.prepare(t, dir)
			}
			destination := tt.destination
			if !filepath.IsAbs(destination) {
				destination = filepath.Join(dir, destination)
			}
			o := options(destination)
			if tt.file {
				o.Archive.Format = archive.File
			}
			s := install.New(o)
			before := listing(t, dir)
			for range 2 {
				err := s.Ready()
				if (err != nil) != (tt.want != "") || (err != nil && !strings.Contains(err.Error(), tt.want)) {
					t.Fatalf("got %v, want %q", err, tt.want)
				}
				if err != nil && !strings.HasPrefix(err.Error(), "cannot install to "+destination) {
					t.Errorf("the destination is not named: %v", err)
				}
			}
			if tt.want != "" {
				if st, err := s.Stage("one"); err == nil {
					t.Errorf("staged all the same: %v", st.Discard())
				}
			}
			if after := listing(t, dir); after != before {
				t.Errorf("something was written:\n%s\nbefore:\n%s", after, before)
			}
		})
	}
}

// It is asked before anything else, so it is what says that a destination cannot be.
func TestPresentBelowAFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir+"/file", "")
	for _, below := range []string{"/file/app", "/file/a/b/app"} {
		_, err := install.New(options(dir + below)).Present()
		want := "cannot look at the destination " + dir + below + ": " + dir + "/file is not a directory, so nothing can be below it: name another destination, or move it away"
		if got := fmt.Sprint(err); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func symlink(t *testing.T, target, name string) {
	t.Helper()
	if err := os.Symlink(target, name); err != nil {
		t.Fatal(err)
	}
}

func listing(t *testing.T, dir string) string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		names = append(names, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, "\n")
}
