package systemd_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/hookstest"
	"github.com/dropship/dropship/hooks/systemd"
)

// testInside is what runs in the machine. First what needs it for itself, then the rest side by side.
func testInside(t *testing.T) {
	t.Run("suite", testSuite)
	t.Run("execute anew", testReexec)
	t.Run("no journalctl", testNoJournalctl)
	t.Run("system bus", testSystemBus)
	t.Run("changed unit file", testChangedUnitFile)
	t.Run("cases", func(t *testing.T) {
		t.Run("works", testWorks)
		t.Run("fails", testFails)
		t.Run("start limit", testStartLimit)
		t.Run("triggered", testTriggered)
		t.Run("cancelled", testCancelled)
		t.Run("timeout", testTimeout)
		t.Run("replaced", testReplaced)
		t.Run("own unit", testOwnUnit)
		t.Run("not root", testNotRoot)
	})
}

const unitDir = "/run/systemd/system/"

// install writes a unit file with a name that only this test has, and returns the name without its suffix. The text
// may have NAME in it.
func install(t *testing.T, suffix, text string) string {
	t.Helper()
	name := "test-" + hookstest.Unique()
	write(t, name+suffix, strings.ReplaceAll(text, "NAME", name))
	t.Cleanup(func() {
		remove(name + suffix)
	})
	return name
}

func write(t *testing.T, unit, text string) {
	t.Helper()
	if err := os.WriteFile(unitDir+unit, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// remove stops a unit, if it runs, and removes its unit file.
func remove(unit string) {
	_ = exec.Command("systemctl", "stop", unit).Run()
	_ = os.Remove(unitDir + unit)
}

// service is a unit file of a service.
func service(lines ...string) string { return "[Service]\n" + strings.Join(lines, "\n") + "\n" }

const sleeps = "ExecStart=/bin/sleep infinity"

func sh(script string) string { return `/bin/sh -c '` + script + `'` }

func hook(t *testing.T, action, unit string) hooks.Hook {
	t.Helper()
	return hookstest.New(t, systemd.Kind(), action+` = "`+unit+`"`)
}

// run runs a hook that must succeed.
func run(t *testing.T, action, unit string) {
	t.Helper()
	if err := hook(t, action, unit).Run(t.Context(), hooks.Event{}); err != nil {
		t.Fatalf("%s %s: %v", action, unit, err)
	}
}

// runFails runs a hook that must fail with all of want in its error.
func runFails(t *testing.T, action, unit string, want ...string) {
	t.Helper()
	err := hook(t, action, unit).Run(t.Context(), hooks.Event{})
	if err == nil {
		t.Fatalf("%s %s: got no error, want one with %q; %s", action, unit, want, show(t, unit, "ActiveState"))
	}
	t.Log(err)
	for _, text := range want {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%s %s: got %v, want %q in it", action, unit, err, text)
		}
	}
}

// show returns a property of a unit, as systemctl sees it.
func show(t *testing.T, unit, property string) string {
	t.Helper()
	out, err := exec.Command("systemctl", "show", "--property="+property, "--value", unit).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// await waits until a property has a value.
func await(t *testing.T, unit, property, want string) {
	t.Helper()
	var got string
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if got = show(t, unit, property); got == want {
			return
		}
	}
	t.Fatalf("%s of %s is %q, and does not become %q", property, unit, got, want)
}

func expect(t *testing.T, unit, property, want string) {
	t.Helper()
	if got := show(t, unit, property); got != want {
		t.Errorf("%s of %s is %q, want %q", property, unit, got, want)
	}
}

// expectNoJob wants that systemd has no job for the unit.
func expectNoJob(t *testing.T, unit string) {
	t.Helper()
	out, err := exec.Command("systemctl", "list-jobs", "--no-legend").Output()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(out), unit) {
		t.Errorf("jobs are %q, want none of %s", out, unit)
	}
}

// never is a service that does not become ready.
var never = service("Type=notify", sleeps, "TimeoutStartSec=infinity", "TimeoutStopSec=1s")

func testSuite(t *testing.T) {
	made := func(action, text string) func(*testing.T, *slog.Logger) hooks.Hook {
		return func(t *testing.T, _ *slog.Logger) hooks.Hook {
			return hook(t, action, install(t, ".service", text))
		}
	}
	hookstest.Run(t, hookstest.Case{
		Kind: "systemd",
		Works: func(t *testing.T, logger *slog.Logger) (hooks.Hook, func() []string) {
			return made("restart", service(sleeps))(t, logger), nil
		},
		Hangs: func(t *testing.T, _ *slog.Logger) (hooks.Hook, <-chan struct{}) {
			name := install(t, ".service", never)
			underWay := make(chan struct{})
			ctx := t.Context()
			go func() {
				defer close(underWay)
				for ctx.Err() == nil {
					out, _ := exec.Command("systemctl", "is-active", name).Output()
					if strings.TrimSpace(string(out)) == "activating" {
						return
					}
				}
			}()
			t.Cleanup(func() { <-underWay })
			return hook(t, "start", name), underWay
		},
		Fails: map[string]func(*testing.T, *slog.Logger) hooks.Hook{
			"exit status": made("start", service("Type=oneshot", "ExecStart=/bin/false")),
			"ends":        made("restart", service("ExecStart=/bin/false")),
			"no reload":   made("reload", service(sleeps)),
			"no unit": func(t *testing.T, _ *slog.Logger) hooks.Hook {
				return hook(t, "start", "test-"+hookstest.Unique())
			},
		},
	})
}

// testReexec has systemd execute itself anew, which closes its connections, while a hook waits for its job.
func testReexec(t *testing.T) {
	tests := []struct{ name, script, want string }{
		{"succeeds", "exit 0", ""},
		{"fails", "echo it broke; exit 3", `its job's result is "failed"`},
	}
	for _, tt := range tests {
		for _, action := range []string{"start", "restart"} {
			t.Run(action+" "+tt.name, func(t *testing.T) {
				fifo := filepath.Join(t.TempDir(), "fifo")
				if out, err := exec.Command("mkfifo", fifo).CombinedOutput(); err != nil {
					t.Fatal(string(out))
				}
				name := install(t, ".service", service("Type=oneshot", "RemainAfterExit=yes", "ExecStart="+sh("read x <"+fifo+"; "+tt.script)))
				done := make(chan error, 1)
				go func() { done <- hook(t, action, name).Run(t.Context(), hooks.Event{}) }()
				await(t, name, "ActiveState", "activating")
				invocation := show(t, name, "InvocationID")
				if out, err := exec.Command("systemctl", "daemon-reexec").CombinedOutput(); err != nil {
					t.Fatalf("%v: %s", err, out)
				}
				if err := os.WriteFile(fifo, []byte("go on\n"), 0); err != nil {
					t.Fatal(err)
				}
				err := <-done
				if tt.want == "" && err != nil {
					t.Errorf("got %v", err)
				}
				if tt.want != "" && (err == nil || !strings.Contains(err.Error(), "it broke") || !strings.Contains(err.Error(), "exited with status 3")) {
					t.Errorf("got %v, want the end of the program and its line", err)
				}
				expect(t, name, "InvocationID", invocation) // run once
			})
		}
	}
}

func testNoJournalctl(t *testing.T) {
	name := install(t, ".service", service("Type=oneshot", "ExecStart=/bin/false"))
	h := hook(t, "start", name)
	t.Setenv("PATH", "/nonexistent")
	err := h.Run(t.Context(), hooks.Event{})
	if err == nil || !strings.Contains(err.Error(), "exited with status 1") || strings.Contains(err.Error(), "journal") {
		t.Errorf("got %v, want the exit status and no lines", err)
	}
}

// testSystemBus has no way to systemd but by dbus-daemon.
func testSystemBus(t *testing.T) {
	name := install(t, ".service", service(sleeps))
	for _, action := range []string{"start", "restart", "stop"} {
		h := systemd.At(hook(t, action, name).(*systemd.Hook), "/nonexistent/private", "/run/systemd/system")
		if err := h.Run(t.Context(), hooks.Event{}); err != nil {
			t.Errorf("%s: %v", action, err)
		}
	}
	expect(t, name, "ActiveState", "inactive")
}

func testCancelled(t *testing.T) {
	t.Parallel()
	errCause := errors.New("the reason")
	name := install(t, ".service", never)
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error, 1)
	go func() { done <- hook(t, "start", name).Run(ctx, hooks.Event{}) }()
	await(t, name, "ActiveState", "activating")
	cancel(errCause)
	err := <-done
	if !errors.Is(err, errCause) || !strings.Contains(err.Error(), "was not over, and is cancelled") {
		t.Errorf("got %v, want the cause, and what became of the job", err)
	}
	expectNoJob(t, name)
}

// testTimeout has the step's time run out while a job waits for another unit: it must not happen later.
func testTimeout(t *testing.T) {
	t.Parallel()
	first := install(t, ".service", never)
	name := install(t, ".service", "[Unit]\nRequires="+first+".service\nAfter="+first+".service\n"+service(sleeps))
	chain := hooks.Chain{{Hook: hook(t, "start", name), Timeout: time.Second, OnError: hooks.Abort, When: hooks.Always}}
	err := chain.Run(t.Context(), 0, hooks.Event{}, hooks.Report{})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the timeout", err)
	}
	expectNoJob(t, name)
	expect(t, name, "ActiveState", "inactive")
}

// testReplaced has somebody else stop the unit while it is being started.
func testReplaced(t *testing.T) {
	t.Parallel()
	name := install(t, ".service", never)
	done := make(chan error, 1)
	go func() { done <- hook(t, "start", name).Run(t.Context(), hooks.Event{}) }()
	await(t, name, "ActiveState", "activating")
	if out, err := exec.Command("systemctl", "stop", name).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := <-done; err == nil || !strings.Contains(err.Error(), "its job was cancelled: something else started or stopped the unit") {
		t.Errorf("got %v, want it to say that something else stopped the unit", err)
	}
}
