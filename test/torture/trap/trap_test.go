package trap_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/dropship/dropship/test/torture/trap"
)

func TestMain(m *testing.M) {
	trap.ExecIfAsked()
	os.Exit(m.Run())
}

// run runs a shell under a trap for mkdirat and for openat that creates.
func run(t *testing.T, script string, judge trap.Judge) (dir, output string, err error) {
	t.Helper()
	dir = t.TempDir()
	cmd := exec.CommandContext(t.Context(), "bash", "-c", script)
	cmd.Dir = dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	wait, err := trap.Start(cmd, []string{"openat", "renameat2", "write"}, judge)
	if err != nil {
		t.Fatal(err)
	}
	err = wait()
	return dir, out.String(), err
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

const script = `: <. ; : >a; : >b; : >c; echo still alive`

func TestCallsAreCountedAndGoOn(t *testing.T) {
	t.Parallel()
	var opened int
	dir, output, err := run(t, script, func(c trap.Call) trap.Verdict {
		if c.Name == "openat" && c.Own {
			opened++
		}
		return trap.Verdict{}
	})
	if err != nil || opened != 3 || !exists(filepath.Join(dir, "c")) || !strings.Contains(output, "still alive") {
		t.Errorf("got error %v, %d calls, output %q; want none, 3 of those that create, and all done", err, opened, output)
	}
}

func TestKillAtACallLeavesItUndone(t *testing.T) {
	t.Parallel()
	for range 20 {
		var opened int
		dir, output, err := run(t, script, func(c trap.Call) trap.Verdict {
			if c.Name == "openat" {
				opened++
			}
			return trap.Verdict{Kill: opened == 2}
		})
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok || exit.Sys().(syscall.WaitStatus).Signal() != unix.SIGKILL {
			t.Fatalf("got error %v, output %q, want a death by SIGKILL", err, output)
		}
		if !exists(filepath.Join(dir, "a")) || exists(filepath.Join(dir, "b")) || output != "" {
			t.Fatalf("a: %v, b: %v, output %q; want a alone", exists(filepath.Join(dir, "a")), exists(filepath.Join(dir, "b")), output)
		}
	}
}

func TestCallFails(t *testing.T) {
	t.Parallel()
	var opened int
	dir, output, err := run(t, script, func(c trap.Call) trap.Verdict {
		if c.Name == "openat" {
			opened++
			if opened == 2 {
				return trap.Verdict{Errno: unix.ENOSPC}
			}
		}
		return trap.Verdict{}
	})
	if err != nil || exists(filepath.Join(dir, "b")) || !exists(filepath.Join(dir, "c")) || !strings.Contains(output, "No space left on device") {
		t.Errorf("got error %v, output %q; want b missing for want of space", err, output)
	}
}

func TestChildrenAreToldApart(t *testing.T) {
	t.Parallel()
	var own, others int
	_, output, err := run(t, `: >a; bash -c ': >b; : >c'; : >d`, func(c trap.Call) trap.Verdict {
		switch {
		case c.Name == "openat" && c.Own:
			own++
		case c.Name == "openat":
			others++
		}
		return trap.Verdict{}
	})
	if err != nil || own != 2 || others != 2 {
		t.Errorf("got %d own calls and %d of children, error %v, output %q; want 2 and 2", own, others, err, output)
	}
}
