package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A release that kills the agent in its after chain does so at each start. After the third time it is gone, and the
// application runs.
func TestReleaseThatKillsTheAgentIsRolledBack(t *testing.T) {
	t.Parallel()
	artifacts := t.TempDir()
	publish(t, artifacts, version(t, "1"))
	d := newDaemon(t, map[string]string{"dropship.hcl": web(artifacts, `
  before "script" { command = "rm -f ../running" }
  after "script" { command = "[ $(cat VERSION) != bad ] || kill -9 $PPID" }
  after "script" { command = "touch ../running" }
`)})
	// apply returns how the command ended, and what it printed.
	apply := func() (*os.ProcessState, string) {
		cmd := exec.Command(binary, "apply", "--config", "dropship.hcl")
		cmd.Dir = d.dir
		out, _ := cmd.CombinedOutput() // the state says it all
		return cmd.ProcessState, string(out)
	}
	// At the first install there is no destination for the before hook to run in, which is a warning.
	if state, out := apply(); !state.Success() {
		t.Fatalf("cannot install: %v\n%s", state, out)
	}
	publish(t, artifacts, version(t, "bad"))
	deaths := 0
	state, out := apply()
	for ; state.Sys().(syscall.WaitStatus).Signaled() && deaths < 6; deaths++ {
		state, out = apply()
	}
	if deaths != 3 || state.ExitCode() != 1 || !strings.Contains(out, "rolled back") || !strings.Contains(out, "the agent was killed 3 times") {
		t.Errorf("got %d deaths, then %v, want three and a rollback:\n%s", deaths, state, out)
	}
	if got, want := d.read("ran"), "update 1\nupdate bad\nrollback 1\n"; got != want {
		t.Errorf("the first after hook ran so: %q, want %q", got, want)
	}
	if got := strings.TrimSpace(d.read("web/VERSION")); got != "1" {
		t.Errorf("at the destination: got version %q, want 1", got)
	}
	if _, err := os.Stat(filepath.Join(d.dir, "running")); err != nil {
		t.Errorf("the application does not run: %v", err)
	}
	if state, out := apply(); state.ExitCode() != 1 || !strings.Contains(out, "web: quarantined") {
		t.Errorf("got %v, want it quarantined:\n%s", state, out)
	}

	// Nothing of it is taken up again where there is nothing any more.
	if err := os.RemoveAll(filepath.Join(d.dir, "web")); err != nil {
		t.Fatal(err)
	}
	if state, out := apply(); state.ExitCode() != 1 || !strings.Contains(out, "nothing is at the destination") || strings.Contains(out, "still at") {
		t.Errorf("got %v, want an error that nothing is there:\n%s", state, out)
	}
	publish(t, artifacts, version(t, "3"))
	if state, out := apply(); !state.Success() {
		t.Errorf("cannot install what is good: %v\n%s", state, out)
	}
}
