package e2e

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A manager is the socket on which systemd hears its services (sd_notify(3)).
type manager struct {
	t    *testing.T
	path string
	conn *net.UnixConn
}

func newManager(t *testing.T) *manager {
	t.Helper()
	dir, err := os.MkdirTemp("", "dropship-e2e-") // t.TempDir is too long for the name of a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	m := &manager{t: t, path: filepath.Join(dir, "notify")}
	if m.conn, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path, Net: "unixgram"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.conn.Close() })
	return m
}

// next returns the next message, or nothing if none comes in that time.
func (m *manager) next(within time.Duration) string {
	m.t.Helper()
	if err := m.conn.SetReadDeadline(time.Now().Add(within)); err != nil {
		m.t.Fatal(err)
	}
	b := make([]byte, 4096)
	n, err := m.conn.Read(b)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		m.t.Fatal(err)
	}
	return string(b[:n])
}

// want waits for the next message, and fails unless it is this one.
func (m *manager) want(text string) {
	m.t.Helper()
	if got := m.next(limit); got != text {
		m.t.Fatalf("the service manager hears %q, want %q", got, text)
	}
}

// wantReloading waits for the message that Type=notify-reload asks for: its time must be that of the reload,
// else systemd takes it for one that was sent before.
func (m *manager) wantReloading(since int64) {
	m.t.Helper()
	text := m.next(limit)
	match := regexp.MustCompile(`^RELOADING=1\nMONOTONIC_USEC=(\d+)$`).FindStringSubmatch(text)
	if match == nil {
		m.t.Fatalf("the service manager hears %q, want RELOADING=1 and MONOTONIC_USEC", text)
	}
	at, err := strconv.ParseInt(match[1], 10, 64)
	if now := monotonic(m.t); err != nil || at < since || at > now {
		m.t.Errorf("MONOTONIC_USEC=%s, want it between %d and %d", match[1], since, now)
	}
}

// monotonic returns CLOCK_MONOTONIC in microseconds.
func monotonic(t *testing.T) int64 {
	t.Helper()
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		t.Fatal(err)
	}
	return now.Nano() / 1000
}

func TestServiceManagerIsToldWhatGoesOn(t *testing.T) {
	t.Parallel()
	artifacts := t.TempDir()
	publish(t, artifacts, version(t, "1"))
	good := web(artifacts, "")
	m := newManager(t)
	d := newDaemon(t, map[string]string{"dropship.hcl": good})
	d.env = []string{"NOTIFY_SOCKET=" + m.path}
	d.start()
	m.want("READY=1\nSTATUS=1 service")
	d.waitFile("ran", "update 1")

	for _, reload := range []struct{ name, text, log string }{
		{"a mistake", web(artifacts, "  updateSlotz = 2"), "the old one stays in force"},
		{"one more service", good + `service "two" {
  artifact "file" {
    path        = "web.tar.gz"
    destination = "two"
  }
}
`, "configuration reloaded"},
		// What is known of the services lies in stateDir, and the agent holds locks there.
		{"another stateDir", `stateDir = "elsewhere"` + good[len(`stateDir = "state"`):], "dropship.hcl:1:12: error: stateDir cannot change while the agent runs"},
		{"another socket", strings.Replace(good, "dropship.sock", "elsewhere.sock", 1), "error: socket cannot change while the agent runs"},
	} {
		d.write("dropship.hcl", reload.text)
		since := monotonic(t)
		d.signal(hangup)
		m.wantReloading(since)
		if reload.name == "a mistake" {
			m.want("READY=1\nSTATUS=1 service")
		} else {
			m.want("READY=1\nSTATUS=2 services")
		}
		d.waitLog(reload.log, 1)
	}
	d.waitLog("the old one stays in force", 3)
	d.waitFile("two/VERSION", "1")
	publish(t, artifacts, version(t, "2"))
	d.waitFile("ran", "update 1\nupdate 2")
	if _, err := os.Stat(filepath.Join(d.dir, "elsewhere")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the other stateDir is used: %v", err)
	}

	if code := d.stop(terminate); code != 0 {
		t.Errorf("exit code: got %d, want 0", code)
	}
	m.want("STOPPING=1")
	if got := m.next(time.Millisecond); got != "" {
		t.Errorf("the service manager hears %q after the end", got)
	}
}

// Else systemd would take an agent that ends at once for one that has started.
func TestServiceManagerHearsNothingOfABadConfiguration(t *testing.T) {
	t.Parallel()
	m := newManager(t)
	d := newDaemon(t, map[string]string{"dropship.hcl": web(t.TempDir(), "  updateSlotz = 2")})
	d.env = []string{"NOTIFY_SOCKET=" + m.path}
	d.start()
	<-d.done
	if code := d.cmd.ProcessState.ExitCode(); code != 2 {
		t.Errorf("exit code: got %d, want 2", code)
	}
	if got := m.next(time.Millisecond); got != "" {
		t.Errorf("the service manager hears %q", got)
	}
}
