package systemd_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/dropship/dropship/hooks/hookstest"
)

func testWorks(t *testing.T) {
	t.Parallel()
	t.Run("start, restart, stop", func(t *testing.T) {
		t.Parallel()
		name := install(t, ".service", service(sleeps))
		run(t, "start", name)
		expect(t, name, "ActiveState", "active")
		first := show(t, name, "InvocationID")
		run(t, "start", name)
		expect(t, name, "InvocationID", first)
		run(t, "restart", name)
		if second := show(t, name, "InvocationID"); second == first {
			t.Errorf("it was not restarted")
		}
		run(t, "stop", name)
		expect(t, name, "ActiveState", "inactive")
		run(t, "stop", name)
		run(t, "restart", name)
		expect(t, name, "ActiveState", "active")
	})
	t.Run("reload", func(t *testing.T) {
		t.Parallel()
		out := filepath.Join(t.TempDir(), "reloaded")
		name := install(t, ".service", service(sleeps, "ExecReload=/bin/touch "+out))
		run(t, "start", name)
		first := show(t, name, "InvocationID")
		run(t, "reload", name)
		if _, err := os.Stat(out); err != nil {
			t.Error(err)
		}
		run(t, "reloadOrRestart", name)
		expect(t, name, "InvocationID", first)
	})
	t.Run("reload or restart", func(t *testing.T) {
		t.Parallel()
		name := install(t, ".service", service(sleeps))
		run(t, "reloadOrRestart", name)
		first := show(t, name, "InvocationID")
		run(t, "reloadOrRestart", name)
		if second := show(t, name, "InvocationID"); second == first {
			t.Errorf("it was not restarted")
		}
	})
	t.Run("oneshot", func(t *testing.T) {
		t.Parallel()
		run(t, "start", install(t, ".service", service("Type=oneshot", "ExecStart=/bin/true")))
	})
	t.Run("oneshot that stays", func(t *testing.T) {
		t.Parallel()
		run(t, "start", install(t, ".service", service("Type=oneshot", "RemainAfterExit=yes", "ExecStart=/bin/true")))
	})
	t.Run("instance", func(t *testing.T) {
		t.Parallel()
		name := install(t, "@.service", service("ExecStart=/bin/sleep %i"))
		run(t, "start", name+"@1234")
		expect(t, name+"@1234", "ActiveState", "active")
		run(t, "stop", name+"@1234")
		expect(t, name+"@1234", "ActiveState", "inactive")
	})
	t.Run("timer", func(t *testing.T) {
		t.Parallel()
		name := install(t, ".timer", "[Timer]\nOnActiveSec=1d\nUnit=basic.target\n")
		run(t, "start", name+".timer")
		expect(t, name+".timer", "ActiveState", "active")
	})
	t.Run("alias", func(t *testing.T) {
		t.Parallel()
		name := install(t, ".service", service(sleeps))
		alias := "test-alias-" + name + ".service"
		if err := os.Symlink(name+".service", unitDir+alias); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { remove(alias) })
		run(t, "start", alias)
		expect(t, name, "ActiveState", "active")
	})
	t.Run("stop of what failed", func(t *testing.T) {
		t.Parallel()
		name := install(t, ".service", service("ExecStart=/bin/false"))
		runFails(t, "start", name)
		run(t, "stop", name)
	})
	t.Run("stop without a unit file", func(t *testing.T) {
		t.Parallel()
		name := install(t, ".service", service(sleeps))
		run(t, "start", name)
		if err := os.Remove(unitDir + name + ".service"); err != nil {
			t.Fatal(err)
		}
		run(t, "stop", name)
		expect(t, name, "ActiveState", "inactive")
	})
}

func testFails(t *testing.T) {
	t.Parallel()
	started := []string{"start", "restart"}
	tests := []struct {
		name, unit string
		actions    []string
		want       []string
	}{
		{
			"oneshot", service("Type=oneshot", "ExecStart="+sh(`echo "it \x1b[31mbroke"; exit 3`)), started,
			[]string{`its job's result is "failed"; it is failed (failed) with result "exit-code", its main process exited with status 3`, "it [31mbroke"},
		},
		{
			"no program", service("Type=exec", "ExecStart=/nonexistent/program"), started,
			[]string{`its job's result is "failed"`, "exited with status 203", "Failed at step EXEC spawning /nonexistent/program: No such file or directory"},
		},
		{
			"no program, nobody asks", service("ExecStart=/nonexistent/program"), started,
			[]string{"its program has ended; ", "exited with status 203", "/nonexistent/program: No such file or directory"},
		},
		{
			"dies at once", service("ExecStart=" + sh("echo boom >&2; exit 1")), started,
			[]string{`its program has ended; it is failed (failed) with result "exit-code", its main process exited with status 1`, "boom"},
		},
		{
			"dies soon", service("ExecStart=" + sh("sleep 0.1; echo boom; exit 4")), started,
			[]string{"its program has ended; ", "its main process exited with status 4", "boom"},
		},
		{
			"dies again and again", service("ExecStart="+sh("echo boom; exit 1"), "Restart=always", "RestartSec=50ms", "StartLimitIntervalSec=0"), started,
			[]string{"its program has ended; ", "systemd goes on starting it again (Restart=)"},
		},
		{
			"is killed", service("ExecStart=" + sh("kill -SEGV $$$$")), started,
			[]string{"its program has ended; ", "by signal 11 (segmentation fault)"},
		},
		{
			"goes into the background", service("ExecStart=" + sh("sleep 100 &")), started,
			[]string{"its program was not started, or has ended without an error (one that goes into the background wants Type=forking", "it is inactive (dead)"},
		},
		{
			"is never ready", service("Type=notify", "ExecStart="+sh("echo nearly there; sleep 100"), "TimeoutStartSec=1s"), started,
			[]string{`its job's result is "failed"`, `with result "timeout"`, "nearly there"},
		},
		{
			"ExecStartPre", service("ExecStartPre="+sh("echo not yet; exit 5"), sleeps), started,
			[]string{`its job's result is "failed"`, `with result "exit-code"`, "not yet"},
		},
		{
			"condition", "[Unit]\nConditionPathExists=/nonexistent\n" + service(sleeps), started,
			[]string{"its program was not started, or has ended without an error", "; it is inactive (dead)", "unmet condition check", "ConditionPathExists=/nonexistent"},
		},
		{
			"assertion", "[Unit]\nAssertPathExists=/nonexistent\n" + service(sleeps), started,
			[]string{`its job's result is "assert"; it is inactive (dead)`},
		},
		{
			"by hand", "[Unit]\nRefuseManualStart=yes\n" + service(sleeps), started,
			[]string{"its unit file does not allow it by hand (RefuseManualStart, RefuseManualStop): systemd says"},
		},
		{
			"bad setting", service("Type=notify"), append(started, "stop", "reload"),
			[]string{"systemd cannot load its unit file (", "; `systemd-analyze verify NAME.service` says more"},
		},
		{
			"reload of what does not run", service(sleeps, "ExecReload=/bin/true"),
			[]string{"reload"},
			[]string{"it is not active, so that it cannot be reloaded: use restart, or reloadOrRestart; it is inactive (dead)"},
		},
	}
	for _, tt := range tests {
		for _, action := range tt.actions {
			t.Run(tt.name+", "+action, func(t *testing.T) {
				t.Parallel()
				name := install(t, ".service", tt.unit)
				verb := strings.Replace(action, "reloadOrRestart", "reload or restart", 1)
				want := []string{"cannot " + verb + " " + name + ".service: "}
				for _, text := range tt.want {
					want = append(want, strings.ReplaceAll(text, "NAME", name))
				}
				runFails(t, action, name, want...)
			})
		}
	}
	for _, action := range append(started, "stop", "reload") {
		t.Run("no unit, "+action, func(t *testing.T) {
			t.Parallel()
			runFails(t, action, "test-"+hookstest.Unique(), "there is no such unit; `systemctl list-unit-files` lists what there is")
		})
	}
	t.Run("masked", func(t *testing.T) {
		t.Parallel()
		name := "test-" + hookstest.Unique()
		if err := os.Symlink("/dev/null", unitDir+name+".service"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { remove(name + ".service") })
		for _, action := range started {
			runFails(t, action, name, "it is masked, so that nothing can start it: `systemctl unmask "+name+".service` undoes that")
		}
		run(t, "stop", name)
	})
	t.Run("no ExecReload", func(t *testing.T) {
		t.Parallel()
		name := install(t, ".service", service(sleeps))
		run(t, "start", name)
		runFails(t, "reload", name, "its unit file has no ExecReload: use restart, or reloadOrRestart: systemd says")
		expect(t, name, "ActiveState", "active")
	})
	t.Run("reload that fails", func(t *testing.T) {
		t.Parallel()
		name := install(t, ".service", service(sleeps, "ExecReload="+sh("echo no such option; exit 9")))
		run(t, "start", name)
		runFails(t, "reload", name, `its job's result is "failed"`, "no such option")
		expect(t, name, "ActiveState", "active")
	})
	t.Run("reload that is the end", func(t *testing.T) {
		t.Parallel()
		name := install(t, ".service", service(sleeps, "ExecReload="+sh("kill -HUP $MAINPID")))
		run(t, "start", name)
		runFails(t, "reload", name, "it was reloaded, and did not bear it; it is inactive (dead)")
	})
	t.Run("dependency", func(t *testing.T) {
		t.Parallel()
		first := install(t, ".service", service("Type=oneshot", "ExecStart=/bin/false"))
		name := install(t, ".service", "[Unit]\nRequires="+first+".service\nAfter="+first+".service\n"+service(sleeps))
		runFails(t, "start", name, "a unit that it requires has failed; `systemctl --failed` lists such units")
	})
}

// testChangedUnitFile is by itself, since every reload of the manager is one of all unit files.
func testChangedUnitFile(t *testing.T) {
	for _, action := range []string{"restart", "reload"} {
		t.Run(action, func(t *testing.T) {
			name := install(t, ".service", service("ExecStart=/bin/sleep 1000"))
			run(t, "start", name)
			write(t, name+".service", service("ExecStart=/bin/sleep 2000", "ExecReload=/bin/true"))
			expect(t, name, "NeedDaemonReload", "yes")
			run(t, action, name)
			expect(t, name, "NeedDaemonReload", "no")
			if got, want := show(t, name, "ExecStart"), "sleep 2000"; !strings.Contains(got, want) {
				t.Errorf("ExecStart is %q, want %q in it", got, want)
			}
		})
	}
	t.Run("stop", func(t *testing.T) {
		out := filepath.Join(t.TempDir(), "stopped")
		name := install(t, ".service", service(sleeps, "ExecStop=/bin/touch "+out))
		run(t, "start", name)
		write(t, name+".service", service(sleeps))
		run(t, "stop", name)
		if _, err := os.Stat(out); err != nil {
			t.Errorf("it was not stopped by the unit file that started it: %v", err)
		}
	})
	t.Run("new", func(t *testing.T) {
		name := install(t, ".service", "")
		remove(name + ".service")
		runFails(t, "start", name, "there is no such unit")
		write(t, name+".service", service(sleeps))
		run(t, "start", name)
	})
}

// testStartLimit has a release crash until systemd starts it no more, and another come after it.
func testStartLimit(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(file, []byte("#!/bin/sh\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	name := install(t, ".service", service("ExecStart="+file, "Restart=always", "RestartSec=1ms"))
	runFails(t, "start", name)
	await(t, name, "ActiveState", "failed")
	if err := exec.Command("systemctl", "start", name).Run(); err == nil {
		t.Error("systemd allows another start: this test shows nothing")
	}
	if err := os.WriteFile(file, []byte("#!/bin/sh\nexec sleep infinity\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	run(t, "start", name)
}

// testTriggered has a connection wait at a socket: systemd starts the service again whenever it is stopped.
func testTriggered(t *testing.T) {
	t.Parallel()
	address := filepath.Join(t.TempDir(), "socket")
	name := install(t, ".service", service(sleeps))
	write(t, name+".socket", "[Socket]\nListenStream="+address+"\n")
	t.Cleanup(func() { remove(name + ".socket") })
	run(t, "start", name+".socket")
	conn, err := net.Dial("unix", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	await(t, name, "ActiveState", "active")
	runFails(t, "stop", name, "it was stopped, and runs again since "+name+".socket starts it: stop that, too, in a hook before this one")
	run(t, "stop", name+".socket")
	run(t, "stop", name)
	run(t, "start", name+".socket")
	expect(t, name+".socket", "ActiveState", "active")
	run(t, "stop", name+".socket")
}

// testOwnUnit has a hook run in the unit that it is to stop.
func testOwnUnit(t *testing.T) {
	t.Parallel()
	for _, action := range []string{"stop", "restart"} {
		name := "test-" + hookstest.Unique()
		source := action + ` = "` + name + `"`
		cmd := exec.Command("systemd-run", "--quiet", "--pipe", "--wait", "--unit="+name, "--setenv="+hookEnv+"="+source, binary(t))
		out, err := cmd.CombinedOutput()
		if want := "dropship runs in this unit itself, and would wait for its own end"; err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: got %s (%v), want %q in it", action, out, err, want)
		}
	}
}

// testNotRoot has a hook run as a user whom systemd lets do nothing.
func testNotRoot(t *testing.T) {
	t.Parallel()
	name := install(t, ".service", service(sleeps))
	cmd := exec.Command(binary(t))
	cmd.Env = append(os.Environ(), hookEnv+`=start = "`+name+`"`)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if want := "permission denied: dropship must run as root, or polkit must allow its user"; err != nil || !strings.Contains(string(out), want) {
		t.Errorf("got %s (%v), want %q in it", out, err, want)
	}
	expect(t, name, "ActiveState", "inactive")
}

func binary(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
