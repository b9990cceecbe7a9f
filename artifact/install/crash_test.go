//go:build linux

package install_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropship/dropship/artifact/archive"
	"github.com/dropship/dropship/artifact/install"
)

// A story is an update that is killed at each of its steps.
type story struct {
	name     string
	file     bool
	persist  []string
	before   func(t testing.TB, s *install.Site) // what is there
	old      files                               // what an application finds then
	artifact files
	updated  files // what an application finds after the update
}

func stories() []story {
	one, two := files{"version": "1", "lib/a": "1"}, files{"version": "2", "lib/b": "2"}
	return []story{
		{
			name: "first", artifact: one, updated: one,
			before: func(testing.TB, *install.Site) {},
		},
		{
			name: "directory", old: one, artifact: two, updated: two,
			before: func(t testing.TB, s *install.Site) { update(t, s, "old", "", one) },
		},
		{
			name: "foreign", old: files{"by": "hand"}, artifact: two, updated: two,
			before: func(t testing.TB, s *install.Site) { write(t, filepath.Join(s.Destination(), "by"), "hand") },
		},
		{
			name: "file", file: true, old: files{".": "1"}, artifact: files{".": "2"}, updated: files{".": "2"},
			before: func(t testing.TB, s *install.Site) {
				stage(t, s, "old", []byte("1"))
				if err := s.Switch("old", ""); err != nil {
					t.Fatal(err)
				}
			},
		},
		{
			name: "first file", file: true, artifact: files{".": "2"}, updated: files{".": "2"},
			before: func(testing.TB, *install.Site) {},
		},
		{
			name: "adoption", persist: []string{"data", "log/app.log"},
			old:      files{"version": "1", "data/db": "live", "log/app.log": "lines"},
			artifact: files{"version": "2", "data/db": "seed"},
			updated:  files{"version": "2", "data/db": "live", "log/app.log": "lines"},
			before: func(t testing.TB, s *install.Site) {
				o := s.Options()
				o.Persist = nil // it is configured only later
				update(t, install.New(o), "old", "", files{"version": "1", "data/db": "live", "log/app.log": "lines"})
			},
		},
		{
			name: "first persistent", persist: []string{"data", "spool"},
			artifact: files{"version": "1", "data/db": "seed"},
			updated:  files{"version": "1", "data/db": "seed", "spool/": ""},
			before:   func(testing.TB, *install.Site) {},
		},
	}
}

func (y story) site(destination, method string) *install.Site {
	o := options(destination)
	o.Keep = 0
	o.Persist = y.persist
	if y.file {
		o.Archive.Format = archive.File
	}
	return install.Force(install.New(o), method)
}

// update is what the child does until it is killed.
func (y story) update(t testing.TB, s *install.Site) error {
	packed := []byte(y.artifact["."])
	if !y.file {
		packed = tarball(t, y.artifact)
	}
	st, err := s.Stage("new")
	if err != nil {
		return err
	}
	if _, err := st.Unpack(t.Context(), bytes.NewReader(packed)); err != nil {
		return err
	}
	if _, err := st.Seal(install.Release{Hash: "h"}); err != nil {
		return err
	}
	if err := s.Switch("new", "old"); err != nil {
		return err
	}
	return s.Prune()
}

// TestCrashChild is the process that dies. It is run by TestKilledAtEveryStep and is nothing by itself.
func TestCrashChild(t *testing.T) {
	destination := os.Getenv("INSTALL_TEST_DESTINATION")
	if destination == "" {
		return
	}
	n, err := strconv.Atoi(os.Getenv("INSTALL_TEST_STEP"))
	if err != nil {
		t.Fatal(err)
	}
	install.OnCrashPoint(func(step string) {
		fmt.Printf("step %s\n", step)
		if n--; n == 0 {
			if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
				panic(err)
			}
			select {}
		}
	})
	for _, y := range stories() {
		if y.name == os.Getenv("INSTALL_TEST_STORY") {
			if err := y.update(t, y.site(destination, os.Getenv("INSTALL_TEST_METHOD"))); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatal("no such story")
}

// runChild does the update in a process of its own, which dies at its nth step, and returns that step, or "" if
// there are fewer.
func runChild(t *testing.T, y story, destination, method string, n int) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrashChild$")
	// The race detector lets a process that ends by itself sleep for a second.
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", "INSTALL_TEST_DESTINATION="+destination, "INSTALL_TEST_METHOD="+method,
		"INSTALL_TEST_STORY="+y.name, "INSTALL_TEST_STEP="+strconv.Itoa(n))
	out, err := cmd.CombinedOutput()
	if err == nil {
		return ""
	}
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the child did not die of the kill: %v\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return strings.TrimPrefix(lines[len(lines)-1], "step ")
}

func TestKilledAtEveryStep(t *testing.T) {
	for _, y := range stories() {
		for _, method := range methods {
			t.Run(y.name+" by "+method, func(t *testing.T) {
				t.Parallel()
				for n := 1; ; n++ {
					destination := filepath.Join(t.TempDir(), "app")
					s := y.site(destination, method)
					y.before(t, s)
					step := runChild(t, y, destination, method, n)
					if step == "" {
						if n < 4 {
							t.Fatalf("an update had only %d steps", n-1)
						}
						return
					}
					y.checkAfterCrash(t, destination, method, step)
					if t.Failed() {
						t.Fatalf("killed at step %d, %q", n, step)
					}
				}
			})
		}
	}
}

func (y story) checkAfterCrash(t *testing.T, destination, method, step string) {
	t.Helper()
	s := y.site(destination, method)
	// An exchange, and a link that is renamed over, leave no instant at which something is missing.
	if method == install.MethodExchange || y.file {
		y.wantOldOrUpdated(t, destination)
	}
	if err := s.Recover(); err != nil {
		t.Fatal(err)
	}
	y.wantOldOrUpdated(t, destination)
	wantNoLeftovers(t, s)
	if step == "old release away" && !y.file {
		wantContents(t, destination, y.updated) // completed, not undone
	}
	// What Recover left is what Current tells.
	current, ok, err := s.Current()
	if err != nil {
		t.Fatal(err)
	}
	if updated := cmp.Equal(contents(t, destination), y.updated); updated != (ok && current.ID == "new") {
		t.Errorf("the new release is there: %v, and current is %q", updated, current.ID)
	}

	// A repeated update, or only its switch if the release was sealed, completes it.
	releases, err := s.Releases()
	if err != nil {
		t.Fatal(err)
	}
	sealed := false
	for _, r := range releases {
		sealed = sealed || r.ID == "new"
	}
	if sealed {
		err = s.Switch("new", "old")
	} else {
		err = y.update(t, s)
	}
	if err != nil {
		t.Fatal(err)
	}
	wantContents(t, destination, y.updated)
	wantCurrent(t, s, "new")
	if sealed && y.old != nil && step != "renamed to trash" {
		y.checkRollback(t, s)
	}
	wantNoLeftovers(t, s)
}

func (y story) wantOldOrUpdated(t *testing.T, destination string) {
	t.Helper()
	got := contents(t, destination)
	if !cmp.Equal(got, y.old) && !cmp.Equal(got, y.updated) {
		t.Errorf("neither the old nor the new release is there: %q", got)
	}
}

// checkRollback wants the old release to have survived whole.
func (y story) checkRollback(t *testing.T, s *install.Site) {
	t.Helper()
	if err := s.Switch("old", "new"); err != nil {
		t.Fatal(err)
	}
	wantContents(t, s.Destination(), y.old)
}

// A repeated Switch alone, without Recover before it, completes one that was killed.
func TestSwitchCompletesWithoutRecover(t *testing.T) {
	for _, y := range stories() {
		if y.name != "directory" && y.name != "adoption" {
			continue
		}
		for _, method := range methods {
			t.Run(y.name+" by "+method, func(t *testing.T) {
				t.Parallel()
				for n := 2; ; n++ { // the first step is before the release is sealed
					destination := filepath.Join(t.TempDir(), "app")
					s := y.site(destination, method)
					y.before(t, s)
					step := runChild(t, y, destination, method, n)
					if step == "renamed to trash" {
						return
					}
					if err := s.Switch("new", "old"); err != nil {
						t.Fatal(err)
					}
					wantContents(t, destination, y.updated)
					wantNoLeftovers(t, s)
					y.checkRollback(t, s)
					if t.Failed() {
						t.Fatalf("killed at step %d, %q", n, step)
					}
				}
			})
		}
	}
}
