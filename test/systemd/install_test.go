package systemd

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const (
	bookworm = "bookworm" // Debian 12, systemd 252
	trixie   = "trixie"   // Debian 13, systemd 257
)

func TestInstall(t *testing.T) {
	t.Parallel()
	installAndDeploy(t, bookworm)
}

func TestInstallOnDebian13(t *testing.T) {
	t.Parallel()
	installAndDeploy(t, trixie)
}

func installAndDeploy(t *testing.T, suite string) {
	m := boot(t, suite)
	if m == nil {
		return
	}
	m.apt("install", m.pkg)
	m.wait("the agent is active", func() bool { return m.property("ActiveState", "dropship") == "active" })
	want(t, "systemctl is-enabled", m.run("systemctl", "is-enabled", "dropship"), "enabled")
	want(t, "systemctl is-system-running", m.output("systemctl", "is-system-running"), "running")
	wantContains(t, "the journal", m.journal(), "no service is configured")
	want(t, "dropship validate", m.run("dropship", "validate"), "/etc/dropship.d/dropship.hcl: no mistakes; 0 services in 1 file")
	want(t, "mode of the configuration", m.run("stat", "-c", "%a %U:%G", "/etc/dropship.d/dropship.hcl"), "640 root:root")
	want(t, "dropship status", m.run("dropship", "status"), "no service is configured")
	if out, err := m.try("setpriv", "--reuid=nobody", "--clear-groups", "dropship", "status"); err == nil || !strings.Contains(out, "permission denied") {
		t.Errorf("dropship status of another user: got %q (%v), want that permission is denied", out, err)
	}
	want(t, "mode of the socket's directory", m.run("stat", "-c", "%a %U:%G", "/run/dropship"), "700 root:root")
	want(t, "mode of the state", m.run("stat", "-c", "%a %U:%G", "/var/lib/dropship"), "700 root:root")
	want(t, "dpkg --verify", m.run("dpkg", "--verify", "dropship"), "")

	// A service out of a bucket, whose secrets are credentials of the unit.
	w := newWeb(m)
	w.publish("1")
	w.configure("")
	wantContains(t, "dropship validate", m.run("dropship", "validate"), "1 service in 2 files")
	m.run("systemctl", "restart", "dropship") // credentials are handed over at the start
	w.waitLive("1")
	m.run("systemctl", "reload", "dropship")
	w.publish("2")
	w.waitLive("2")
	want(t, "the hooks that ran", m.read("/srv/hooks"), strings.Repeat("before update\nafter update\n", 2))
	pid := m.property("MainPID", "dropship")
	if env := m.run("cat", "/proc/"+pid+"/environ"); strings.Contains(env, m.s3.Secret) {
		t.Error("the secret is in the environment of the agent")
	}
	if journal := m.journal(); strings.Contains(journal, m.s3.Secret) {
		t.Errorf("the secret is in the journal:\n%s", journal)
	}
}

func TestReload(t *testing.T) {
	t.Parallel()
	m := boot(t, bookworm)
	if m == nil {
		return
	}
	m.apt("install", m.pkg)
	w := newWeb(m)
	w.publish("1")
	m.run("systemctl", "restart", "dropship")
	pid := m.property("MainPID", "dropship")

	w.configure("")
	m.run("systemctl", "reload", "dropship")
	w.waitLive("1")

	// With a mistake systemctl says so, and all goes on with the old one.
	w.configure(`updateSlotz = 2`)
	if out, err := m.try("systemctl", "reload", "dropship"); err == nil {
		t.Errorf("the reload of a bad file succeeds: %s", out)
	}
	wantContains(t, "the journal", m.journal(), "/etc/dropship.d/services/web.hcl:")
	want(t, "the state after a bad reload", m.property("ActiveState", "dropship"), "active")
	w.publish("2")
	w.waitLive("2")

	// So it is for who sends the signal and validates nothing.
	m.run("systemctl", "kill", "-s", "HUP", "--kill-who=main", "dropship")
	m.wait("the agent refuses the bad file", func() bool {
		return strings.Contains(m.journal(), "the configuration is not reloaded: the old one stays in force")
	})
	want(t, "the agent's process", m.property("MainPID", "dropship"), pid)

	// A start with it fails, is no readiness, and is not tried again.
	if out, err := m.try("systemctl", "restart", "dropship"); err == nil {
		t.Errorf("the start with a bad file succeeds: %s", out)
	}
	want(t, "the state after a bad start", m.property("ActiveState", "dropship"), "failed")
	want(t, "the result of a bad start", m.property("Result", "dropship"), "exit-code")
	want(t, "restarts after a bad start", m.property("NRestarts", "dropship"), "0")

	// Ready when the services are loaded: what the agent says then is what systemd shows.
	w.configure("")
	m.run("systemctl", "start", "dropship")
	want(t, "the status", m.property("StatusText", "dropship"), "1 service")
}

func TestKilledAgentIsRestarted(t *testing.T) {
	t.Parallel()
	m := boot(t, bookworm)
	if m == nil {
		return
	}
	w := deploy(m, "")

	// ABRT is how Go's crashes end here: the exit code of its own would be taken for a mistake in the configuration.
	for i, signal := range []string{"KILL", "ABRT"} {
		m.run("systemctl", "kill", "-s", signal, "--kill-who=main", "dropship")
		m.wait("systemd restarts the agent after SIG"+signal, func() bool {
			return m.property("NRestarts", "dropship") == strconv.Itoa(i+1) && m.property("ActiveState", "dropship") == "active"
		})
	}
	w.publish("2")
	w.waitLive("2")
	want(t, "the hooks that ran", m.read("/srv/hooks"), strings.Repeat("before update\nafter update\n", 2))
}

// hold is a before hook that says that it began, and ends when somebody reads what it writes to a fifo.
const hold = `before "script" {
    command = "if [ -p /srv/hold ]; then touch /srv/held; echo held >/srv/hold; fi"
    timeout = "5m"
  }`

// holdUpdate publishes a version, and returns when its update is held. release lets it go on.
func (w *web) holdUpdate(version string) (release func()) {
	w.m.t.Helper()
	fifo := filepath.Join(w.m.root, "/srv/hold")
	w.m.run("mkfifo", "/srv/hold")
	w.publish(version)
	w.m.wait("the update to "+version+" is in its before chain", func() bool { return w.m.exists("/srv/held") })
	return func() {
		b, err := os.ReadFile(fifo)
		if err != nil || string(b) != "held\n" {
			w.m.t.Fatalf("got %q (%v) from the hook, want that it was held", b, err)
		}
		for _, path := range []string{"/srv/hold", "/srv/held"} {
			if err := os.Remove(filepath.Join(w.m.root, path)); err != nil {
				w.m.t.Fatal(err)
			}
		}
	}
}
