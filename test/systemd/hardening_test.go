package systemd

import (
	"strconv"
	"strings"
	"testing"
)

// probes are commands that one who runs as root may use, and which hooks may or may not. Each prints its name if it
// could do what it tries.
var probes = []struct {
	name, command string
	allowed       bool
}{
	{"personality", "setarch -R true", false},
	{"realtime", "chrt -f 1 true", false},
	{"modify_ldt", `perl -e 'exit(syscall(154, 0, my $b = "\0" x 16, 16) < 0)'`, false},
	{"cap_sys_boot", `grep -q '^CapEff:.*' /proc/self/status && test $(( 0x$(sed -n 's/^CapEff:\t//p' /proc/self/status) >> 22 & 1 )) = 1`, false},
	{"mount", "mkdir -p /mnt/hook && mount -t tmpfs hook /mnt/hook", true},
	{"write", "touch /usr/local/bin/x /etc/x /root/x /home/x", true},
	{"users", "useradd -r hook-$$", true},
	{"become", "setpriv --reuid=nobody --clear-groups test ! -w /etc", true},
	{"unshare", "unshare --mount true", true},
	{"setuid", "cp /bin/true /srv/suid && chmod 4755 /srv/suid", true},
	{"devices", "head -c 1 /dev/zero >/dev/null && test -w /dev/tty", true},
	{"units", "systemd-run --wait -q true", true},
}

func TestHardeningIsInForce(t *testing.T) {
	t.Parallel()
	m := boot(t, bookworm)
	if m == nil {
		return
	}
	m.apt("install", m.pkg)
	w := newWeb(m)
	w.publish("1")
	var script strings.Builder
	for _, p := range probes {
		script.WriteString("( " + p.command + " ) && echo " + p.name + "\n")
	}
	m.write("/srv/probe", "#!/bin/sh\n"+script.String()+"exit 0\n", 0o755)

	// Without the unit's hardening all of it can be done: else the rest would show nothing.
	outside := m.run("/srv/probe")
	for _, p := range probes {
		want(t, p.name+" outside of the unit", strings.Contains("\n"+outside+"\n", "\n"+p.name+"\n"), true)
	}
	m.run("umount", "/mnt/hook")

	w.configure(`before "script" { command = "/srv/probe >/srv/probed 2>/srv/refused" }`)
	m.run("systemctl", "restart", "dropship")
	w.waitLive("1")
	inside := "\n" + m.read("/srv/probed")
	for _, p := range probes {
		if got := strings.Contains(inside, "\n"+p.name+"\n"); got != p.allowed {
			t.Errorf("%s in a hook: got %t, want %t\n%s", p.name, got, p.allowed, m.read("/srv/refused"))
		}
	}
	// What a hook mounts is mounted for the machine.
	m.run("mountpoint", "-q", "/mnt/hook")
	m.run("umount", "/mnt/hook")

	pid := m.property("MainPID", "dropship")
	want(t, "namespace of mounts", m.run("readlink", "/proc/"+pid+"/ns/mnt"), m.run("readlink", "/proc/1/ns/mnt"))
	wantContains(t, "seccomp", m.run("grep", "^Seccomp:", "/proc/"+pid+"/status"), "2")
	wantContains(t, "no new privileges", m.run("grep", "^NoNewPrivs:", "/proc/"+pid+"/status"), "0")
	want(t, "core limit", strings.Fields(m.run("grep", "^Max core file size", "/proc/"+pid+"/limits"))[4], "0")
	want(t, "OOM policy", m.property("OOMPolicy", "dropship"), "continue")

	unit, tightened := exposures(t)
	want(t, "the exposure of the unit, which the manual tells", m.exposure(), unit)

	// The drop-in of the manual keeps more from hooks that need no more than systemctl.
	m.write("/etc/systemd/system/dropship.service.d/hardening.conf", dropIn(t), 0o644)
	m.run("systemctl", "daemon-reload")
	m.run("systemctl", "restart", "dropship")
	w.configure("")
	m.run("systemctl", "reload", "dropship")
	w.publish("2")
	w.waitLive("2")
	want(t, "the exposure with the drop-in, which the manual tells", m.exposure(), tightened)
}

// exposure is what systemd-analyze says of the unit: 0 for one that can do nothing, 10 for one that can do all.
func (m *machine) exposure() float64 {
	m.t.Helper()
	out := m.run("systemd-analyze", "security", "dropship.service")
	_, verdict, _ := strings.Cut(out, "Overall exposure level for dropship.service: ")
	number, _, _ := strings.Cut(verdict, " ")
	exposure, err := strconv.ParseFloat(number, 64)
	if err != nil {
		m.t.Fatalf("cannot find the exposure in %q", out)
	}
	return exposure
}
