//go:build linux

package dropship_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/dropship/dropship/artifact/install"
	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/test/disk"
)

// An agent has read a state that nobody changes, and need not read it again. Whatever another process then makes of it, as
// apply or retry beside the agent may, is seen at once.
func TestLoadNoticesEachChange(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change func(t *testing.T, path string, other *dropship.Store)
		want   string // destination
	}{
		"nothing": {func(*testing.T, string, *dropship.Store) {}, "/srv/0"},
		"another process saved it": {func(t *testing.T, _ string, other *dropship.Store) {
			save(t, other, "/srv/1")
		}, "/srv/1"},
		// The file is the one that was read, and as long.
		"another process saved it twice": {func(t *testing.T, path string, other *dropship.Store) {
			before := inode(t, path)
			save(t, other, "/srv/1")
			save(t, other, "/srv/2")
			if after := inode(t, path); after.Ino != before.Ino || after.Size != before.Size {
				t.Fatalf("the file is %d of %d bytes, and was %d of %d: this case shows nothing", after.Ino, after.Size, before.Ino, before.Size)
			}
		}, "/srv/2"},
		// ext4 gives the new file the inode number that the old one had.
		"restored from a backup, with its times": {func(t *testing.T, path string, _ *dropship.Store) {
			backup, dir := t.TempDir(), filepath.Dir(path)
			save(t, dropship.NewStore(backup), "/srv/3")
			for _, line := range [][]string{
				{"touch", "-r", path, filepath.Join(backup, "web.json")},
				{"rm", path, path + ".copy"},
				{"cp", "-p", filepath.Join(backup, "web.json"), dir},
			} {
				if out, err := exec.CommandContext(t.Context(), line[0], line[1:]...).CombinedOutput(); err != nil {
					t.Fatalf("%q: %v\n%s", line, err, out)
				}
			}
		}, "/srv/3"},
		"written to by hand, and its time set back": {func(t *testing.T, path string, _ *dropship.Store) {
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			write(t, path, `{"version": 1, "service": "web", "destination": "/srv/4"}`)
			if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
				t.Fatal(err)
			}
		}, "/srv/4"},
		"gone": {func(t *testing.T, path string, _ *dropship.Store) {
			if err := errors.Join(os.Remove(path), os.Remove(path+".copy")); err != nil {
				t.Fatal(err)
			}
		}, ""},
		"the directory is another one": {func(t *testing.T, path string, _ *dropship.Store) {
			dir := filepath.Dir(path)
			if err := errors.Join(os.Rename(dir, dir+".old"), os.Mkdir(dir, 0o700)); err != nil {
				t.Fatal(err)
			}
			save(t, dropship.NewStore(dir), "/srv/5")
		}, "/srv/5"},
	}
	paths, agents := make(map[string]string), make(map[string]*dropship.Store)
	for name := range tests {
		dir := t.TempDir()
		paths[name], agents[name] = filepath.Join(dir, "web.json"), dropship.NewStore(dir)
		if err := agents[name].Save(&dropship.State{
			Version: 1, Service: "web", Destination: "/srv/0", Installed: &dropship.Installed{UpdateID: "u1"},
		}); err != nil {
			t.Fatal(err)
		}
	}
	restless := restless(t)
	for _, agent := range agents {
		keep(t, agent)
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.change(t, paths[name], dropship.NewStore(filepath.Dir(paths[name])))
			for range 2 {
				st, err := agents[name].Load("web")
				if err != nil {
					t.Fatal(err)
				}
				if st.Destination != test.want {
					t.Errorf("got %q, want %q", st.Destination, test.want)
				}
				if st.Installed != nil {
					if st.Installed.UpdateID != "u1" {
						t.Errorf("got what another caller made of it")
					}
					st.Installed.UpdateID = "u2"
				}
			}
		})
	}
	for _, name := range []string{"staged", "failed", "quarantined", "interrupted", "unfinished"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := restless.Load(name); err != nil {
				t.Fatal(err)
			}
			if restless.Keeps(name) {
				t.Error("it is not read again, and there is something to be done about it")
			}
		})
	}
}

// restless returns a store of services about which there is something to be done.
func restless(t *testing.T) *dropship.Store {
	t.Helper()
	journal := dropship.Journal{UpdateID: "u1", Status: hooks.StatusFailed, Chain: []string{"start"}}
	s := dropship.NewStore(t.TempDir())
	for _, st := range []dropship.State{
		{Service: "staged", Staged: &install.Release{ID: "r1"}},
		{Service: "failed", Failed: &dropship.Failure{Hash: "h1"}},
		{Service: "quarantined", Quarantine: []dropship.Quarantined{{Hash: "h1"}}},
		{Service: "interrupted", Journal: &journal},
		{Service: "unfinished", Unfinished: &dropship.Unfinished{Update: journal, Hooks: []int{0}}},
	} {
		st.Version = 1
		if err := s.Save(&st); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// Within a moment of the file system a file can change and look as it did before.
func TestLoadNoticesWhatLooksTheSame(t *testing.T) {
	t.Parallel()
	d := disk.New(t, disk.Options{Kind: disk.Ext4, Format: []string{"-I", "128"}}) // whose moments last a second
	agent, other := dropship.NewStore(d.Dir), dropship.NewStore(d.Dir)
	path := filepath.Join(d.Dir, "web.json")
	for deadline := time.Now().Add(time.Minute); ; {
		save(t, other, "/srv/0")
		if _, err := agent.Load("web"); err != nil {
			t.Fatal(err)
		}
		before := inode(t, path)
		save(t, other, "/srv/1")
		save(t, other, "/srv/2")
		st, err := agent.Load("web")
		if err != nil || st.Destination != "/srv/2" {
			t.Fatalf("got %+v, %v, want /srv/2", st, err)
		}
		if after := inode(t, path); after.Ino == before.Ino && after.Size == before.Size && after.Ctim == before.Ctim {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the file never looked the same after it had changed: this test shows nothing")
		}
	}
}

// Nobody need open the lock of a service that rests for more than to hold it: that would have the disk write all day.
func TestLockChangesNothing(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	s := dropship.NewStore(dir)
	path := filepath.Join(dir, "web.lock")
	lock := func() {
		unlock, err := s.Lock("web")
		if err != nil {
			t.Fatal(err)
		}
		unlock()
	}
	lock()
	if err := os.Chmod(path, 0o644); err != nil { // others could hold it then
		t.Fatal(err)
	}
	lock()
	before := inode(t, path)
	if got := before.Mode & 0o777; got != 0o600 {
		t.Errorf("got mode %o, want 600", got)
	}
	for start := time.Now(); time.Since(start) < 50*time.Millisecond; { // longer than a tick of the kernel
		lock()
	}
	if after := inode(t, path); after.Ctim != before.Ctim {
		t.Errorf("the file was changed at %v, want none since %v", after.Ctim, before.Ctim)
	}
}

// keep waits until a store need not read the state of web again.
func keep(t testing.TB, s *dropship.Store) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !s.Keeps("web"); time.Sleep(20 * time.Millisecond) {
		if _, err := s.Load("web"); err != nil {
			t.Fatal(err)
		}
		if time.Now().After(deadline) {
			t.Fatal("the state is read again and again")
		}
	}
}

func inode(t *testing.T, path string) *syscall.Stat_t {
	t.Helper()
	var st syscall.Stat_t
	if err := syscall.Lstat(path, &st); err != nil {
		t.Fatal(err)
	}
	return &st
}
