package api_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropship/dropship/dropship/api"
)

// shortDir is a directory whose name leaves room for that of a socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "dropship-api-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func mustListen(t *testing.T, path string) *api.Listener {
	t.Helper()
	l, err := api.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func modes(t *testing.T, dir string) map[string]fs.FileMode {
	t.Helper()
	got := map[string]fs.FileMode{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := d.Info()
		if err == nil {
			got[strings.TrimPrefix(path, dir+"/")] = info.Mode()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// listenEnv tells a process to listen there, and to end as one that is killed.
const listenEnv = "DROPSHIP_TEST_LISTEN"

func TestModesWhateverTheUmask(t *testing.T) {
	t.Parallel()
	for _, umask := range []string{"0000", "0027", "0777"} {
		dir := shortDir(t)
		path := filepath.Join(dir, "run", "dropship.sock")
		cmd := exec.CommandContext(t.Context(), "sh", "-c", `umask "$0"; exec "$@"`, umask, os.Args[0])
		cmd.Env = append(os.Environ(), listenEnv+"="+path)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("umask %s: %v\n%s", umask, err, out)
		}
		want := map[string]fs.FileMode{"run": fs.ModeDir | 0o700, "run/dropship.sock": fs.ModeSocket | 0o600, "run/dropship.sock.lock": 0o600}
		if diff := cmp.Diff(want, modes(t, dir)); diff != "" {
			t.Errorf("umask %s: %s", umask, diff)
		}
		// What that process left is in the way of nobody.
		mustListen(t, path)
		if _, err := net.Dial("unix", path); err != nil {
			t.Error(err)
		}
	}
}

func TestSocketGoesWithItsListener(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	path := filepath.Join(dir, "dropship.sock")
	l := mustListen(t, path)
	if got, want := l.Addr().String(), path; got != want {
		t.Errorf("address: got %q, want %q", got, want)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]fs.FileMode{"dropship.sock.lock": 0o600}, modes(t, dir)); diff != "" {
		t.Error(diff)
	}
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed twice: got error %v", err)
	}
	mustListen(t, path)
}

func TestWhatIsInTheWayStays(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		setup func(t *testing.T, path string)
		says  string
	}{
		{"another agent", func(t *testing.T, path string) { mustListen(t, path) }, "another agent (pid " + pid() + ") has it: stop that one"},
		{"another agent, whose socket somebody removed", func(t *testing.T, path string) {
			mustListen(t, path)
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}, "another agent (pid " + pid() + ") has it"},
		{"another program", func(t *testing.T, path string) {
			l, err := net.Listen("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
		}, "another program listens there"},
		{"a file", func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "something else is there (-rw-------)"},
		{"a link", func(t *testing.T, path string) {
			if err := os.Symlink("elsewhere", path); err != nil {
				t.Fatal(err)
			}
		}, "something else is there (L"},
		{"a link in the place of the lock", func(t *testing.T, path string) {
			if err := os.WriteFile(filepath.Join(filepath.Dir(path), "victim"), []byte("mine"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("victim", path+".lock"); err != nil {
				t.Fatal(err)
			}
		}, "dropship.sock.lock: too many levels of symbolic links"},
		{"a file in the place of the directory", func(t *testing.T, path string) {
			if err := os.Remove(filepath.Dir(path)); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Dir(path), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "not a directory"},
	} {
		dir := filepath.Join(shortDir(t), "run")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "dropship.sock")
		test.setup(t, path)
		before := modes(t, filepath.Dir(dir))
		delete(before, "run/dropship.sock.lock")
		_, err := api.Listen(path)
		if err == nil || !strings.HasPrefix(err.Error(), "cannot listen on the socket "+path+": ") || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: got error %v, want %q", test.name, err, test.says)
		}
		after := modes(t, filepath.Dir(dir))
		delete(after, "run/dropship.sock.lock")
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("%s: %s", test.name, diff)
		}
		if data, err := os.ReadFile(filepath.Join(dir, "victim")); err == nil && string(data) != "mine" {
			t.Errorf("%s: what the link leads to holds %q", test.name, data)
		}
	}
}

// What a killed agent leaves is replaced in one step: whoever connects finds the one or the other.
func TestStaleSocketIsReplaced(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	path := filepath.Join(dir, "dropship.sock")
	old, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	old.SetUnlinkOnClose(false)
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	// One that was killed while it made its socket leaves this.
	if err := os.MkdirAll(path+".new/s", 0o700); err != nil {
		t.Fatal(err)
	}
	// A process that another test is just starting may have it for an instant.
	for end := time.Now().Add(limit); ; time.Sleep(time.Millisecond) {
		c, err := net.Dial("unix", path)
		if err != nil {
			break
		}
		c.Close()
		if time.Now().After(end) {
			t.Fatal("somebody listens")
		}
	}
	mustListen(t, path)
	want := map[string]fs.FileMode{"dropship.sock": fs.ModeSocket | 0o600, "dropship.sock.lock": 0o600}
	if diff := cmp.Diff(want, modes(t, dir)); diff != "" {
		t.Error(diff)
	}
}

// Of agents that start together one has the socket.
func TestListenersThatStartTogether(t *testing.T) {
	t.Parallel()
	for range 20 {
		path := filepath.Join(shortDir(t), "dropship.sock")
		const together = 8
		results := make(chan *api.Listener, together)
		for range together {
			go func() {
				l, err := api.Listen(path)
				if err == nil {
					t.Cleanup(func() { _ = l.Close() })
				} else if !strings.Contains(err.Error(), "another agent") {
					t.Errorf("got error %v", err)
				}
				results <- l
			}()
		}
		won := 0
		for range together {
			if l := <-results; l != nil {
				won++
			}
		}
		if won != 1 {
			t.Errorf("%d have the socket, want 1", won)
		}
	}
}

func TestPathThatIsTooLong(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	path := filepath.Join(dir, strings.Repeat("a", 110-len(dir)))
	if _, err := api.Listen(path); err == nil || !strings.Contains(err.Error(), "its path has 111 bytes, which is too long") {
		t.Errorf("got error %v", err)
	}
	if _, err := api.NewClient(path).Agent(t.Context()); !errors.Is(err, api.ErrUnreachable) {
		t.Errorf("got error %v, want ErrUnreachable", err)
	}
}
