package systemd

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// shadow is where a unit takes the place of the package's.
const shadow = "/etc/systemd/system/dropship.service"

func TestRemoveKeepsStateAndPurgeDoesNot(t *testing.T) {
	t.Parallel()
	m := boot(t, bookworm)
	if m == nil {
		return
	}
	w := newWeb(m)
	before := m.files()
	m.apt("install", m.pkg)
	w.publish("1")
	w.configure("")
	m.run("systemctl", "restart", "dropship")
	w.waitLive("1")

	const packaged = "/lib/systemd/system/dropship.service"
	unit := m.read(packaged)
	m.apt("remove", "dropship")
	want(t, "the agent after remove", m.output("systemctl", "is-active", "dropship"), "inactive")
	for _, path := range []string{"/etc/dropship.d/dropship.hcl", "/var/lib/dropship/web.json"} {
		want(t, path+" after remove", m.exists(path), true)
	}
	want(t, "the program after remove", m.exists("/usr/bin/dropship"), false)
	want(t, "the application after remove", m.output("systemctl", "is-active", "web"), "active")

	// Nothing is deployed by coming back. A unit that somebody wrote meanwhile is in force, and apt tells how to be rid of it.
	m.write(shadow, unit, 0o644)
	m.run("systemctl", "enable", "dropship")
	hint := m.apt("install", m.pkg)
	want(t, "the unit in force", m.property("FragmentPath", "dropship"), shadow)
	_, advice, _ := strings.Cut(hint, shadow+" is in force and not the package's unit. To change that: ")
	advice, _, _ = strings.Cut(advice, "\n")
	m.run("sh", "-ec", advice)
	want(t, "the unit in force after "+advice, m.property("FragmentPath", "dropship"), packaged)
	want(t, "systemctl is-enabled after "+advice, m.run("systemctl", "is-enabled", "dropship"), "enabled")
	m.wait("the agent is back", func() bool { return m.property("ActiveState", "dropship") == "active" })
	m.wait("it knows what it has installed", func() bool { return m.read("/srv/web/VERSION") == "1" })
	want(t, "the hooks that ran", m.read("/srv/hooks"), "before update\nafter update\n")

	// What the administrator wrote, and what was installed for him, is his.
	m.apt("purge", "dropship")
	want(t, "the administrator's service after purge", m.exists("/etc/dropship.d/services/web.hcl"), true)
	want(t, "the application after purge", m.output("systemctl", "is-active", "web"), "active")
	m.run("rm", "-r", "/etc/dropship.d", "/srv/web", "/srv/hooks", "/srv/.web.dropship")
	if left := difference(m.files(), before); len(left) > 0 {
		t.Errorf("purge leaves\n%s", strings.Join(left, "\n"))
	}
}

func TestPurgeLeavesNothing(t *testing.T) {
	t.Parallel()
	m := boot(t, bookworm)
	if m == nil {
		return
	}
	before := m.files()
	m.apt("install", m.pkg)
	if installed := strings.Join(difference(m.files(), before), "\n"); !strings.Contains(installed, "/usr/bin/dropship f 755 ") ||
		!strings.Contains(installed, "/run/dropship d 700") {
		t.Fatalf("the list of what changed with the installation is not complete:\n%s", installed)
	}
	m.apt("purge", "dropship")
	if left := difference(m.files(), before); len(left) > 0 {
		t.Errorf("purge leaves\n%s", strings.Join(left, "\n"))
	}
	want(t, "the unit after purge", m.property("LoadState", "dropship"), "not-found")
}

// noise is what apt, dpkg and systemd themselves write, whatever is installed.
var noise = regexp.MustCompile(`^/(` + strings.Join([]string{
	`var/lib/dpkg/(available|status|status-old|lock|lock-frontend|triggers/.*|info/dropship\.list)`,
	`var/lib/apt/(extended_states|lists/.*)`,
	`var/cache/(apt|debconf)/.*`,
	`var/backups/.*`, // at midnight
	`var/log/.*`,
	`var/lib/systemd/deb-systemd-helper-enabled(/multi-user\.target\.wants)?`,
	`var/lib/systemd/(random-seed|timers/.*)`,
	`run/systemd/(units|journal|transient|propagate)/.*`,
	`run/(log|lock)/.*`,
}, "|") + `) `)

// files lists all files of the machine with type, mode and size.
func (m *machine) files() []string {
	m.t.Helper()
	var list []string
	for path, text := range map[string]string{os.Getenv("ROOT"): "", m.root + "/run": "/run", m.root + "/tmp": "/tmp"} {
		out, err := exec.CommandContext(m.t.Context(), "find", path, "-xdev", "-mindepth", "1",
			"(", "-type", "d", "-printf", text+"/%P %y %m\n", ")", "-o", "-printf", text+"/%P %y %m %s\n").Output()
		if err != nil {
			m.t.Fatal(err)
		}
		list = append(list, strings.Split(strings.TrimSpace(string(out)), "\n")...)
	}
	return slices.DeleteFunc(list, noise.MatchString)
}

// difference returns what is in list and not in other.
func difference(list, other []string) []string {
	was := make(map[string]bool)
	for _, line := range other {
		was[line] = true
	}
	return slices.DeleteFunc(slices.Clone(list), func(line string) bool { return was[line] })
}
