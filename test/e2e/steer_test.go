package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/test/servers"
)

// consulLock is the lock block of the real Consul.
func consulLock(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("lock \"consul\" {\n  address = %q\n  prefix = \"e2e\"\n}\n", servers.Get(t).Consul.Address)
}

var groups atomic.Int64

// newGroup is the name of a group that nobody else has.
func newGroup() string { return fmt.Sprintf("steer-%d-%d", time.Now().UnixNano(), groups.Add(1)) }

// newMember is a machine that takes turns with the others of its group. Its updates stay in their before chain as long
// as there is a file "hang".
func newMember(t *testing.T, host, lock, group, artifacts string) *daemon {
	t.Helper()
	d := newDaemon(t, nil)
	d.host = host
	d.write("dropship.hcl", lock+web(artifacts, fmt.Sprintf(`  sequentialUpdates = true
  updateGroup       = %q
  before "script" {
    command = "cd %[2]s; echo before $DROPSHIP_STATUS >>ran; while [ -e hang ]; do sleep 0.05; done"
    timeout = "1h"
  }
`, group, d.dir)))
	return d
}

func (d *daemon) remove(name string) {
	d.t.Helper()
	if err := os.Remove(filepath.Join(d.dir, name)); err != nil {
		d.t.Fatal(err)
	}
}

// update publishes a version and waits until it is installed, and its update through.
func (d *daemon) update(artifacts, v string) (hash string) {
	d.t.Helper()
	publish(d.t, artifacts, version(d.t, v))
	hash = md5Hex(version(d.t, v))
	d.wantWhy("web", dropship.ReasonUpToDate, "up to date at .+", "")
	waitFor(d.t, limit, "version "+v, func() bool {
		out, _, _ := d.run("why", "web")
		return out == "up to date at "+hash+"\n"
	})
	return hash
}

// must runs a command that has to succeed, and returns its result.
func (d *daemon) must(args ...string) string {
	d.t.Helper()
	out, errOut, code := d.run(args...)
	if code != 0 {
		d.t.Fatalf("dropship %s: exit %d\n%s%s", strings.Join(args, " "), code, out, errOut)
	}
	return out
}

// history returns what is remembered of the updates, newest first.
func (d *daemon) history() (all []dropship.Record) {
	d.t.Helper()
	if err := json.Unmarshal([]byte(d.must("history", "web", "--json")), &all); err != nil {
		d.t.Fatal(err)
	}
	return all
}

// A person takes back what is live, on one machine of a group that takes turns through the real Consul: to the previous
// release, to an older one by its hash, and to the newest again. History says who that was.
func TestRollbackAndRetryOnARunningAgent(t *testing.T) {
	t.Parallel()
	artifacts, group := t.TempDir(), newGroup()
	d, other := newMember(t, "web-01", consulLock(t), group, artifacts), newMember(t, "web-02", consulLock(t), group, artifacts)
	d.env = []string{"SUDO_USER=rita"}
	publish(t, artifacts, version(t, "1"))
	d.start()
	other.start()
	var hashes []string
	for _, v := range []string{"1", "2", "3"} {
		hashes = append(hashes, d.update(artifacts, v))
		other.update(artifacts, v)
	}

	want := func(v, asked string, outcome dropship.Outcome, previous, hash string) {
		t.Helper()
		if got := strings.TrimSpace(d.read("web/VERSION")); got != v {
			t.Errorf("version %s is live, want %s", got, v)
		}
		last := d.history()[0]
		got := dropship.Record{Service: last.Service, Status: last.Status, Outcome: last.Outcome, Hash: last.Hash, PreviousHash: last.PreviousHash, Installed: last.Installed, By: last.By, Reason: last.Reason}
		wanted := dropship.Record{Service: "web", Status: hooks.StatusRollback, Outcome: outcome, Hash: hash, PreviousHash: previous, Installed: hash, By: "rita@web-01", Reason: asked}
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", wanted) {
			t.Errorf("history: got %+v, want %+v", got, wanted)
		}
		var steps []dropship.Step
		for _, s := range last.Steps {
			steps = append(steps, s.Step)
		}
		if len(steps) < 2 || steps[0] != dropship.StepCheck || steps[1] != dropship.StepSlot {
			t.Errorf("the steps are %v, want the question what there is, and then a slot", steps)
		}
	}
	ran := len(d.read("ran"))
	out := d.must("rollback", "web", "--reason", "orders fail")
	if !strings.HasPrefix(out, "web: rolled back from "+hashes[2]+" to "+hashes[1]+" in ") || strings.Count(out, "\n") != 1 {
		t.Errorf("rollback: got %q", out)
	}
	want("2", "orders fail", dropship.RolledBack, hashes[2], hashes[1])
	if got := d.read("ran")[ran:]; got != "before rollback\nrollback 2\n" {
		t.Errorf("the hooks ran so:\n%s", got)
	}
	const remedy = "publish another artifact, or dropship retry web"
	d.wantWhy("web", dropship.ReasonQuarantined, "quarantined: hash "+hashes[2]+` failed on web-01 at `+aTime+`: rolled back by rita@web-01: orders fail`, remedy)

	d.must("rollback", "web", "--to", hashes[0][:8])
	want("1", "", dropship.RolledBack, hashes[1], hashes[0])
	if out := d.must("history", "web"); strings.Count(out, "rita@web-01") != 2 {
		t.Errorf("history:\n%s", out)
	}

	// The others were told, and leave alone what they have.
	if got := strings.TrimSpace(other.read("web/VERSION")); got != "3" {
		t.Errorf("the other machine has version %s, want 3", got)
	}

	if out := d.must("retry", "web"); !strings.HasPrefix(out, "web: may be tried again in group "+group+": ") || !strings.Contains(out, hashes[2]) {
		t.Errorf("retry: got %q", out)
	}
	d.waitFile("web/VERSION", "3")
	d.wantWhy("web", dropship.ReasonUpToDate, "up to date at "+hashes[2], "")
	if last := d.history()[0]; last.Status != hooks.StatusUpdate || last.Outcome != dropship.Updated || last.By != "" || last.Installed != hashes[2] {
		t.Errorf("after the retry: got %+v", last)
	}
}

// asking is a command that is under way.
type asking struct {
	cmd         *exec.Cmd
	out, errOut output
}

// ask runs a command beside the test.
func (d *daemon) ask(args ...string) *asking {
	d.t.Helper()
	a := &asking{cmd: exec.Command(binary, append(args, "--config", "dropship.hcl")...)}
	a.cmd.Dir, a.cmd.Env = d.dir, append(os.Environ(), d.env...)
	onHost(a.cmd, d.host)
	a.cmd.Stdout, a.cmd.Stderr = &a.out, &a.errOut
	if err := a.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = a.cmd.Process.Kill() })
	return a
}

func (a *asking) waitSays(t *testing.T, text string) {
	t.Helper()
	waitFor(t, limit, "the command to say "+text, func() bool { return strings.Contains(a.errOut.String(), text) })
}

// wait returns the exit code.
func (a *asking) wait() int {
	_ = a.cmd.Wait()
	return a.cmd.ProcessState.ExitCode()
}

// A rollback says whom it waits for, and can be given up as long as it waits.
func TestRollbackIsGivenUpWhileItWaits(t *testing.T) {
	t.Parallel()
	artifacts, group := t.TempDir(), newGroup()
	d, other := newMember(t, "web-01", consulLock(t), group, artifacts), newMember(t, "web-02", consulLock(t), group, artifacts)
	publish(t, artifacts, version(t, "1"))
	d.start()
	d.update(artifacts, "1")
	hash := d.update(artifacts, "2")
	ran, before := d.read("ran"), len(d.history())
	other.write("hang", "")
	other.start()
	other.wantWhy("web", dropship.ReasonUpdating, `update \S+ is under way since .+: step before since .+`, "wait for its end")

	a := d.ask("rollback", "web")
	a.waitSays(t, "web: waiting for a slot of group "+group+" behind web-02 (pid ")
	d.wantWhy("web", dropship.ReasonWaiting, "waiting for a slot of group .+: held by web-02 .+", "wait for its turn, or see to what web-02 is doing")
	if err := a.cmd.Process.Signal(interrupt); err != nil {
		t.Fatal(err)
	}
	if code := a.wait(); code != 1 || a.out.String() != "web: not rolled back: nothing changed\n" || !strings.Contains(a.errOut.String(), "given up as told, with nothing changed") {
		t.Errorf("exit %d\n%s%s", code, a.out.String(), a.errOut.String())
	}
	d.wantWhy("web", dropship.ReasonUpToDate, "up to date at "+hash, "")
	if got := d.read("ran"); got != ran {
		t.Errorf("the hooks ran so:\n%s, want\n%s", got, ran)
	}
	if got := len(d.history()); got != before {
		t.Errorf("%d updates are remembered, want %d", got, before)
	}

	// Nobody holds the slot for the one who gave up.
	other.remove("hang")
	other.wantWhy("web", dropship.ReasonUpToDate, "up to date at "+hash, "")
	if out := d.must("rollback", "web"); !strings.HasPrefix(out, "web: rolled back from "+hash) {
		t.Errorf("rollback: got %q", out)
	}
}

// Once its hooks have begun a rollback is completed, and its caller waits for it, told to stop or not.
func TestRollbackIsCompletedOnceItsHooksHaveBegun(t *testing.T) {
	t.Parallel()
	artifacts := t.TempDir()
	d := newMember(t, "web-01", consulLock(t), newGroup(), artifacts)
	publish(t, artifacts, version(t, "1"))
	d.start()
	first := d.update(artifacts, "1")
	second := d.update(artifacts, "2")
	d.write("hang", "")
	a := d.ask("rollback", "web")
	a.waitSays(t, "web: before hook 1: script")
	if err := a.cmd.Process.Signal(terminate); err != nil {
		t.Fatal(err)
	}
	a.waitSays(t, "web: told to stop: giving up, unless its hooks have begun")
	d.remove("hang")
	if code := a.wait(); code != 0 || !strings.HasPrefix(a.out.String(), "web: rolled back from "+second+" to "+first+" in ") {
		t.Errorf("exit %d\n%s%s", code, a.out.String(), a.errOut.String())
	}
	if got := strings.TrimSpace(d.read("web/VERSION")); got != "1" {
		t.Errorf("version %s is live, want 1", got)
	}
}

// A pause takes a machine out of the line, and ends by itself.
func TestPauseGivesUpAPlaceInLine(t *testing.T) {
	t.Parallel()
	artifacts, group := t.TempDir(), newGroup()
	d, other := newMember(t, "web-01", consulLock(t), group, artifacts), newMember(t, "web-02", consulLock(t), group, artifacts)
	publish(t, artifacts, version(t, "1"))
	d.start()
	d.update(artifacts, "1")
	other.write("hang", "")
	other.start()
	other.wantWhy("web", dropship.ReasonUpdating, `update \S+ is under way since .+: step before since .+`, "wait for its end")
	publish(t, artifacts, version(t, "2"))
	d.wantWhy("web", dropship.ReasonWaiting, "waiting for a slot of group .+", "wait for its turn, or see to what web-02 is doing")
	if out := d.must("pause", "web", "--reason", "not now"); out != "web: paused until it is resumed\n" {
		t.Errorf("pause: got %q", out)
	}
	d.wantWhy("web", dropship.ReasonPaused, "paused by "+aUser+" since "+aTime+": not now", "dropship resume web")
	other.remove("hang")
	other.waitFile("web/VERSION", "2")
	if got := strings.TrimSpace(d.read("web/VERSION")); got != "1" {
		t.Errorf("version %s is live while it is paused, want 1", got)
	}
	if out := d.must("pause", "web", "--reason", "a moment more", "--for", "1s"); !strings.HasPrefix(out, "web: paused until 20") {
		t.Errorf("pause: got %q", out)
	}
	d.waitFile("web/VERSION", "2")
}
