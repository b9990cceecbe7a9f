package e2e

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/dropship/api"
)

func (d *daemon) client() *api.Client { return api.NewClient(filepath.Join(d.dir, "dropship.sock")) }

// A second agent with the same socket does not start, and touches nothing; the socket of one that was killed is no
// hindrance, and that of one that was stopped is gone.
func TestOneAgentForASocket(t *testing.T) {
	t.Parallel()
	artifacts := t.TempDir()
	publish(t, artifacts, version(t, "1"))
	d := newDaemon(t, map[string]string{
		"dropship.hcl": web(artifacts, ""),
		"second.hcl":   strings.Replace(web(artifacts, ""), `stateDir = "state"`, `stateDir = "second"`, 1),
	})
	d.start()
	d.waitFile("ran", "update 1")
	second := exec.Command(binary, "agent", "--config", "second.hcl")
	second.Dir = d.dir
	var said bytes.Buffer
	second.Stderr = &said
	if err := second.Run(); second.ProcessState == nil || second.ProcessState.ExitCode() != 1 || !strings.Contains(said.String(), "dropship: cannot listen on the socket "+d.dir+"/dropship.sock: another agent (pid ") {
		t.Errorf("the second agent: got %v\n%s", err, said.String())
	}
	if _, err := os.Stat(filepath.Join(d.dir, "second")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the second agent made its state directory: %v", err)
	}

	before, err := d.client().Agent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d.kill()
	if _, err := d.client().Agent(t.Context()); !errors.Is(err, api.ErrUnreachable) {
		t.Errorf("after kill -9: got error %v, want ErrUnreachable", err)
	}
	if _, err := os.Stat(filepath.Join(d.dir, "dropship.sock")); err != nil {
		t.Errorf("a killed agent leaves its socket: %v", err)
	}
	d.start()
	waitFor(t, limit, "the next agent to answer", func() bool {
		after, err := d.client().Agent(t.Context())
		return err == nil && after.PID != before.PID && after.PID == d.cmd.Process.Pid
	})
	if code := d.stop(terminate); code != 0 {
		t.Errorf("exit code: got %d, want 0", code)
	}
	if _, err := os.Stat(filepath.Join(d.dir, "dropship.sock")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a stopped agent leaves its socket: %v", err)
	}
}

// A reload that is rejected is told of until one is taken, with its place, by what it concerns.
func TestRejectedReloadIsToldOf(t *testing.T) {
	t.Parallel()
	artifacts := t.TempDir()
	publish(t, artifacts, version(t, "1"))
	d := newDaemon(t, map[string]string{"dropship.hcl": web(artifacts, "")})
	d.start()
	waitFor(t, limit, "the end of the update", func() bool {
		why, err := d.client().Why(t.Context(), "web")
		return err == nil && why.Code == dropship.ReasonUpToDate
	})
	events, err := d.client().Events(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d.write("dropship.hcl", web(artifacts, `  updateSlotz = 2`))
	d.signal(hangup)
	for e, err := range events {
		if err != nil {
			t.Fatal(err)
		}
		if e.Type == dropship.Reloaded {
			if got, want := e.Error, "dropship.hcl:11:3: Unsupported argument"; got != want {
				t.Errorf("event: got error %q, want %q", got, want)
			}
			break
		}
	}
	agent, err := d.client().Agent(t.Context())
	if err != nil || agent.Rejected == nil || agent.Rejected.Error != "dropship.hcl:11:3: Unsupported argument" || len(agent.Rejected.Files) != 1 {
		t.Errorf("got %+v, error %v", agent.Rejected, err)
	}
	why, err := d.client().Why(t.Context(), "web")
	if err != nil || why.Code != dropship.ReasonConfiguration || !strings.Contains(why.Text, "dropship.hcl:11:3: Unsupported argument") {
		t.Errorf("got %+v, error %v", why, err)
	}
	d.write("dropship.hcl", web(artifacts, ""))
	d.signal(hangup)
	waitFor(t, limit, "the configuration to be taken", func() bool {
		agent, err := d.client().Agent(t.Context())
		return err == nil && agent.Rejected == nil
	})
}

// While an agent that was told to stop completes an update, it says what it is doing.
func TestStatusDuringAStop(t *testing.T) {
	t.Parallel()
	artifacts := t.TempDir()
	publish(t, artifacts, version(t, "1"))
	d := newDaemon(t, map[string]string{"dropship.hcl": web(artifacts, `  after "script" { command = "until [ -e ../go ]; do sleep 0.05; done" }`)})
	d.start()
	d.waitFile("ran", "update 1")
	d.signal(terminate)
	d.waitLog("stopping: completing updates", 1)
	st, err := d.client().Status(t.Context(), "web")
	if err != nil || st.Activity == nil || st.Activity.Step != dropship.StepAfter || st.Reason.Code != dropship.ReasonUpdating {
		t.Errorf("got %+v, error %v, want that it is being updated", st, err)
	}
	d.write("go", "")
	<-d.done
	if code := d.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code: got %d, want 0", code)
	}
}
