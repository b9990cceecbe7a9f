package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const (
	interrupt = syscall.SIGINT
	terminate = syscall.SIGTERM
	hangup    = syscall.SIGHUP
)

// web returns the configuration of a service whose artifacts lie in a directory, with a script that
// writes down what it did, and whatever else its block is to hold.
func web(artifacts, more string) string {
	return fmt.Sprintf(`stateDir = "state"
socket = "dropship.sock"
repo "file" { root = %q }
service "web" {
  checkInterval = "100ms"
  artifact "file" {
    path        = "web.tar.gz"
    destination = "web"
  }
  after "script" { command = "echo $DROPSHIP_STATUS $(cat VERSION) >>../ran" }
%s
}
`, artifacts, more)
}

func publish(t *testing.T, artifacts string, data []byte) {
	t.Helper()
	part := filepath.Join(artifacts, "part")
	if err := os.WriteFile(part, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(part, filepath.Join(artifacts, "web.tar.gz")); err != nil {
		t.Fatal(err)
	}
}

func TestRestartInstallsNothingAndDeletedIsReinstalled(t *testing.T) {
	t.Parallel()
	artifacts := t.TempDir()
	publish(t, artifacts, version(t, "1"))
	d := newDaemon(t, map[string]string{"dropship.hcl": web(artifacts, "")})
	for range 3 {
		d.start()
		d.waitLog(`msg="up to date"`, 1)
		d.stop(terminate)
	}
	if got, want := d.read("ran"), "update 1\n"; got != want {
		t.Errorf("three starts ran the hook so: %q, want %q", got, want)
	}
	if err := os.RemoveAll(filepath.Join(d.dir, "web")); err != nil {
		t.Fatal(err)
	}
	d.start()
	d.waitFile("web/VERSION", "1")
	d.waitFile("ran", "update 1\nupdate 1")
}

// Fault 11 of the 2018 tool: only SIGINT was handled.
func TestFault11EverySignalIsHandled(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{interrupt, terminate} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			artifacts := t.TempDir()
			publish(t, artifacts, version(t, "1"))
			// The hook waits for a file: the signal comes for sure in the middle of the update.
			d := newDaemon(t, map[string]string{"dropship.hcl": web(artifacts,
				`  before "script" { command = "touch began; while [ ! -e go ]; do sleep 0.05; done" }`)})
			d.write("web/VERSION", "0") // else the hook's working directory would not be the destination
			d.start()
			waitFor(t, limit, "the hook to begin", func() bool { _, err := os.Stat(filepath.Join(d.dir, "web/began")); return err == nil })
			d.signal(signal)
			d.waitLog("stopping", 1)
			d.write("web/go", "")
			<-d.done
			if code := d.cmd.ProcessState.ExitCode(); code != 0 {
				t.Errorf("exit code: got %d, want 0", code)
			}
			if got := strings.TrimSpace(d.read("web/VERSION")); got != "1" {
				t.Errorf("the update that was under way was not completed: version %q", got)
			}
		})
	}
	t.Run("hangup", func(t *testing.T) {
		t.Parallel()
		artifacts := t.TempDir()
		publish(t, artifacts, version(t, "1"))
		d := newDaemon(t, map[string]string{"dropship.hcl": web(artifacts, "")})
		d.start()
		d.waitFile("ran", "update 1")

		// A mistake changes nothing, and the error says where.
		d.write("dropship.hcl", web(artifacts, `  updateSlotz = 2`))
		d.signal(hangup)
		d.waitLog("the old one stays in force", 1)
		if log := d.log.String(); !strings.Contains(log, "dropship.hcl:11") || !strings.Contains(log, "updateSlots") {
			t.Errorf("the mistake is not shown at its place:\n%s", log)
		}
		publish(t, artifacts, version(t, "2"))
		d.waitFile("ran", "update 1\nupdate 2")

		d.write("dropship.hcl", web(artifacts, `  after "script" { command = "echo new >>../ran" }`))
		d.signal(hangup)
		d.waitLog("configuration reloaded", 1)
		publish(t, artifacts, version(t, "3"))
		d.waitFile("ran", "update 1\nupdate 2\nupdate 3\nnew")
	})
}

func TestKilledInAHookIsUndoneAtTheNextStart(t *testing.T) {
	t.Parallel()
	artifacts := t.TempDir()
	publish(t, artifacts, version(t, "1"))
	d := newDaemon(t, nil)
	// At the first install there is no destination yet for the hook to run in.
	d.write("dropship.hcl", web(artifacts,
		fmt.Sprintf(`  before "script" { command = "cd %s; echo before >>ran; [ ! -e hang ] || { echo $$ >pid; exec sleep 3600; }" }`, d.dir)))
	t.Cleanup(func() { killPid(t, d) }) // a hook outlives an agent that is killed
	d.start()
	d.waitFile("ran", "before\nupdate 1")

	d.write("hang", "")
	publish(t, artifacts, version(t, "2"))
	d.waitFile("ran", "before\nupdate 1\nbefore")
	d.kill()
	if err := os.Remove(filepath.Join(d.dir, "hang")); err != nil {
		t.Fatal(err)
	}
	d.start()
	d.waitFile("ran", "before\nupdate 1\nbefore\nfailed 1\nbefore\nupdate 2")
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	artifacts := t.TempDir()
	publish(t, artifacts, version(t, "1"))
	d := newDaemon(t, map[string]string{"dropship.hcl": web(artifacts, `  after "script" { command = "echo $$ >../pid; touch began; exec sleep 3600" }`)})
	t.Cleanup(func() { killPid(t, d) })
	d.start()
	waitFor(t, limit, "the hook to begin", func() bool { _, err := os.Stat(filepath.Join(d.dir, "web/began")); return err == nil })
	d.signal(terminate)
	d.waitLog("stopping", 1)
	if code := d.stop(terminate); code != 1 {
		t.Errorf("exit code: got %d, want 1", code)
	}
}
