package systemd

import (
	"strings"
	"testing"
)

// started is what the agent of a version says in the journal.
func started(version string) string { return `msg="agent started" version=` + version + " " }

func TestUpgradeKeepsAnEditedConffile(t *testing.T) {
	t.Parallel()
	m := boot(t, bookworm)
	if m == nil {
		return
	}
	const edit = "# What the administrator says.\n"
	const path = "/etc/dropship.d/dropship.hcl"
	m.apt("install", m.pkg)
	packaged := m.read(path)

	for option, w := range map[string]struct{ now, beside, aside string }{
		"--force-confold": {packaged + edit, ".dpkg-dist", packaged + newerLine + "\n"},
		"--force-confnew": {packaged + newerLine + "\n", ".dpkg-old", packaged + edit},
	} {
		m.write(path, packaged+edit, 0o640)
		pid := m.property("MainPID", "dropship")
		m.apt("install", "-o", "Dpkg::Options::="+option, m.newer)
		want(t, "the configuration after "+option, m.read(path), w.now)
		want(t, "what stands beside it after "+option, m.read(path+w.beside), w.aside)
		want(t, "its mode after "+option, m.run("stat", "-c", "%a", path), "640")
		m.wait("the newer agent runs after "+option, func() bool {
			return m.property("ActiveState", "dropship") == "active" && m.property("MainPID", "dropship") != pid
		})
		wantContains(t, "the journal after "+option, m.journal(), started(newer))
		m.apt("purge", "dropship")
		m.apt("install", m.pkg)
	}
}

func TestUpgradeDuringAnUpdate(t *testing.T) {
	t.Parallel()
	m := boot(t, bookworm)
	if m == nil {
		return
	}
	w := deploy(m, hold)

	release := w.holdUpdate("2")
	pid := m.property("MainPID", "dropship")
	// apt waits for nothing, and breaks nothing off, however often: also while the restart that it asked for waits.
	m.apt("install", m.newer)
	m.apt("install", "--reinstall", m.newer)
	want(t, "the state during the update", m.property("ActiveState", "dropship"), "deactivating")
	want(t, "the agent during the update", m.property("MainPID", "dropship"), pid)
	want(t, "the release during the update", m.read("/srv/web/VERSION"), "1")
	if journal := m.journal(); strings.Contains(journal, started(newer)) {
		t.Errorf("the newer agent has started during the update:\n%s", journal)
	}
	release()

	w.waitLive("2")
	m.wait("the newer agent has started", func() bool { return strings.Contains(m.journal(), started(newer)) })
	want(t, "the hooks that ran", m.read("/srv/hooks"), strings.Repeat("before update\nafter update\n", 2))
	want(t, "what was recovered", strings.Count(m.journal(), "recovered"), 0)
	want(t, "the result of the agent", m.property("Result", "dropship"), "success")
	w.publish("3")
	w.waitLive("3")
}

// The administrator's own update of a machine may be a hook, and the agent's newer package a part of it.
func TestUpgradeWithinAHook(t *testing.T) {
	t.Parallel()
	m := boot(t, bookworm)
	if m == nil {
		return
	}
	deploy(m, `before "script" {
    command = "apt-get -y -qq install --reinstall `+m.newer+`"
    timeout = "1m"
  }`)
	m.wait("the newer agent has started", func() bool { return strings.Contains(m.journal(), started(newer)) })
	want(t, "the hooks that ran", m.read("/srv/hooks"), "before update\nafter update\n")
	if journal := m.journal(); strings.Contains(journal, "level=ERROR") || strings.Contains(journal, "timeout") {
		t.Errorf("the upgrade within a hook was not smooth:\n%s", journal)
	}
}

// A machine that is being removed from waits for the update, too.
func TestRemoveDuringAnUpdate(t *testing.T) {
	t.Parallel()
	m := boot(t, bookworm)
	if m == nil {
		return
	}
	w := deploy(m, hold)
	release := w.holdUpdate("2")
	removed := make(chan error, 1)
	go func() {
		_, err := m.try("apt-get", "-y", "-qq", "remove", "dropship")
		removed <- err
	}()
	m.wait("the agent is told to stop", func() bool { return m.property("ActiveState", "dropship") == "deactivating" })
	release()
	if err := <-removed; err != nil {
		t.Errorf("apt-get remove: %v", err)
	}
	want(t, "the release", m.read("/srv/web/VERSION"), "2")
	want(t, "the hooks that ran", m.read("/srv/hooks"), strings.Repeat("before update\nafter update\n", 2))
	want(t, "the application", m.output("systemctl", "is-active", "web"), "active")
}
