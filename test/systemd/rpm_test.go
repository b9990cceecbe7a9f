package systemd

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Debian's rpm stands in for that of other systems: what it runs of the package is run by the shell and the systemd of
// the machine.
func TestRPM(t *testing.T) {
	t.Parallel()
	m := boot(t, bookworm)
	if m == nil {
		return
	}
	older, newerRPM := m.makeRPM(os.Getenv("PACKAGE")), m.makeRPM(os.Getenv("NEWER"))

	// The policy of the machine says whether it is enabled, and the administrator when it starts.
	m.write("/etc/systemd/system-preset/00-site.preset", "enable dropship.service\ndisable *\n", 0o644)
	m.rpm("--install", older)
	want(t, "systemctl is-enabled", m.run("systemctl", "is-enabled", "dropship"), "enabled")
	want(t, "the state after the installation", m.property("ActiveState", "dropship"), "inactive")
	want(t, "rpm --verify", m.rpm("--verify", "dropship"), "")
	want(t, "mode of the configuration", m.run("stat", "-c", "%a %U:%G", "/etc/dropship.d/dropship.hcl"), "640 root:root")
	m.run("systemctl", "start", "dropship")
	w := newWeb(m)
	w.publish("1")
	w.configure(hold)
	m.run("systemctl", "restart", "dropship") // credentials are handed over at the start
	w.waitLive("1")

	// An upgrade in the middle of an update waits for nothing, breaks nothing off, and keeps what was edited.
	const path = "/etc/dropship.d/dropship.hcl"
	packaged := m.read(path)
	edited := packaged + "# What the administrator says.\n"
	m.write(path, edited, 0o640)
	release := w.holdUpdate("2")
	pid := m.property("MainPID", "dropship")
	m.rpm("--upgrade", newerRPM)
	m.rpm("--upgrade", "--replacepkgs", newerRPM)
	want(t, "the state during the update", m.property("ActiveState", "dropship"), "deactivating")
	want(t, "the agent during the update", m.property("MainPID", "dropship"), pid)
	release()
	w.waitLive("2")
	m.wait("the newer agent has started", func() bool { return strings.Contains(m.journal(), started(newer)) })
	want(t, "the hooks that ran", m.read("/srv/hooks"), strings.Repeat("before update\nafter update\n", 2))
	want(t, "the result of the agent", m.property("Result", "dropship"), "success")
	want(t, "systemctl is-enabled after the upgrade", m.run("systemctl", "is-enabled", "dropship"), "enabled")
	want(t, "the configuration after the upgrade", m.read(path), edited)
	want(t, "what stands beside it", m.read(path+".rpmnew"), packaged+newerLine+"\n")

	// An agent that the administrator has stopped stays so. A unit of the administrator's is in force, and rpm says so.
	m.run("systemctl", "stop", "dropship")
	m.write(shadow, m.read("/usr/lib/systemd/system/dropship.service"), 0o644)
	wantContains(t, "what rpm says", m.rpm("--upgrade", "--oldpackage", older), shadow+" is in force")
	want(t, "the state after the downgrade", m.property("ActiveState", "dropship"), "inactive")
	m.run("rm", shadow)
	m.run("systemctl", "daemon-reload")
	m.run("systemctl", "start", "dropship")

	m.rpm("--erase", "dropship")
	want(t, "the unit after --erase", m.property("LoadState", "dropship"), "not-found")
	want(t, "the agent after --erase", m.output("systemctl", "is-active", "dropship"), "inactive")
	want(t, "the application after --erase", m.output("systemctl", "is-active", "web"), "active")
	for path, there := range map[string]bool{
		"/usr/bin/dropship": false, path: false, path + ".rpmsave": true, "/etc/dropship.d/services/web.hcl": true,
		"/var/lib/dropship/web.json": true, "/etc/systemd/system/multi-user.target.wants/dropship.service": false,
	} {
		want(t, path+" after --erase", m.exists(path), there)
	}
}

// makeRPM makes an rpm of a Debian package. Both are files out here.
func (m *machine) makeRPM(deb string) string {
	m.t.Helper()
	out, err := exec.CommandContext(m.t.Context(), "../../packaging/rpm.sh", filepath.Dir(deb), deb).Output()
	if err != nil {
		m.t.Fatalf("cannot make an rpm of %s: %v", deb, err)
	}
	return strings.TrimSpace(string(out))
}

// rpm runs rpm for the machine: there is none inside. It has the processes of the machine and takes its root directory for its
// own, and so have the scripts of the package.
func (m *machine) rpm(words ...string) string {
	m.t.Helper()
	leader := os.Getenv("LEADER")
	words = append([]string{"-t", leader, "-u", "-i", "-p", "-n", "-C", "--", "rpm", "--root", "/proc/" + leader + "/root"}, words...)
	out, err := exec.CommandContext(m.t.Context(), "nsenter", words...).CombinedOutput()
	if err != nil {
		m.t.Fatalf("nsenter %s: %v\n%s", strings.Join(words, " "), err, out)
	}
	return string(out)
}
