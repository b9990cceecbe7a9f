package systemd

import (
	"strings"
	"testing"
)

func TestWatchdog(t *testing.T) {
	t.Parallel()
	m := boot(t, bookworm)
	if m == nil {
		return
	}
	m.apt("install", m.pkg)
	want(t, "the watchdog of the package", m.property("WatchdogUSec", "dropship"), "2min")
	m.write("/etc/systemd/system/dropship.service.d/watchdog.conf", "[Service]\nWatchdogSec=4s\nRestartSec=0\n", 0o644)
	w := newWeb(m)
	w.publish("1")
	w.configure(hold)
	m.run("systemctl", "restart", "dropship")
	w.waitLive("1")

	// A hook that takes long is nothing to worry about: the agent pings on, well past the watchdog's time.
	release := w.holdUpdate("2")
	pings := make(map[string]bool)
	m.wait("the agent has pinged five times, one a second", func() bool {
		pings[m.property("WatchdogTimestampMonotonic", "dropship")] = true
		return len(pings) >= 6
	})
	want(t, "restarts during a hook", m.property("NRestarts", "dropship"), "0")
	release()
	w.waitLive("2")

	// An agent that does nothing at all is ended and started again. It says what it was at.
	pid := m.property("MainPID", "dropship")
	m.run("systemctl", "kill", "-s", "STOP", "--kill-who=main", "dropship")
	m.wait("the watchdog has restarted the agent", func() bool {
		return m.property("NRestarts", "dropship") == "1" && m.property("ActiveState", "dropship") == "active" &&
			m.property("MainPID", "dropship") != pid
	})
	journal := m.journal()
	wantContains(t, "the journal", journal, "Watchdog timeout")
	wantContains(t, "the journal", journal, "goroutine ")
	w.publish("3")
	w.waitLive("3")
	want(t, "the hooks that ran", m.read("/srv/hooks"), strings.Repeat("before update\nafter update\n", 3))
}
