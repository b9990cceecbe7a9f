package systemd

import (
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dropship/dropship/test/servers"
)

// limit is how long anything may take that has to happen.
const limit = 60 * time.Second

// booted tells whether this process is the one that boot.sh started.
func booted() bool { return os.Getenv("LEADER") != "" }

// A machine is one that systemd has booted, with nothing but a loopback device, on a clean Debian.
type machine struct {
	t     *testing.T
	root  string // its files
	pkg   string // the package, and a newer one, as paths inside
	newer string
	s3    servers.S3
}

// boot runs the test that calls it once more, in a process beside a booted machine, and fails as that fails. It returns
// that machine there; here, where the test is through, it returns nil.
func boot(t *testing.T, suite string) *machine {
	t.Helper()
	if booted() {
		m := &machine{t: t, root: "/proc/" + os.Getenv("LEADER") + "/root", pkg: "/var/tmp/dropship.deb", newer: "/var/tmp/newer.deb"}
		if err := json.Unmarshal([]byte(os.Getenv("S3")), &m.s3); err != nil {
			t.Fatal(err)
		}
		for to, from := range map[string]string{m.pkg: os.Getenv("PACKAGE"), m.newer: os.Getenv("NEWER")} {
			b, err := os.ReadFile(from)
			if err != nil {
				t.Fatal(err)
			}
			m.write(to, string(b), 0o644)
		}
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("the journal:\n%s", m.output("journalctl", "-b", "-n", "200", "--no-hostname"))
			}
		})
		return m
	}
	s3, err := json.Marshal(servers.Get(t).S3)
	if err != nil {
		t.Fatal(err)
	}
	test, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	older, newer := must(t, pkg), must(t, newerPkg)
	cmd := exec.CommandContext(t.Context(), "./boot.sh", "-H", "-", test, "-test.run=^"+t.Name()+"$", "-test.count=1", "-test.timeout=5m")
	cmd.Env = append(os.Environ(), "SUITE="+suite, "S3="+string(s3), "PACKAGE="+older, "NEWER="+newer)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", suite, err, out)
	}
	return nil
}

// command is one that runs inside.
func (m *machine) command(words ...string) *exec.Cmd {
	words = append(strings.Fields(os.Getenv("IN")), words...)
	// Also for the journal of a test that has failed, when its context has ended.
	return exec.CommandContext(context.WithoutCancel(m.t.Context()), words[0], words[1:]...)
}

// try runs a command inside, and returns what it prints.
func (m *machine) try(words ...string) (string, error) {
	out, err := m.command(words...).CombinedOutput()
	return strings.TrimSuffix(string(out), "\n"), err
}

// output is what a command prints, that may fail.
func (m *machine) output(words ...string) string {
	out, _ := m.try(words...)
	return out
}

// run is try of a command that has to succeed.
func (m *machine) run(words ...string) string {
	m.t.Helper()
	out, err := m.try(words...)
	if err != nil {
		m.t.Fatalf("%s: %v\n%s", strings.Join(words, " "), err, out)
	}
	return out
}

// apt runs apt-get as an administrator without a terminal does.
func (m *machine) apt(words ...string) string {
	m.t.Helper()
	return m.run(append([]string{"apt-get", "-y", "-qq", "-o", "Dpkg::Use-Pty=0"}, words...)...)
}

// property is what systemd knows of a unit.
func (m *machine) property(name, unit string) string {
	m.t.Helper()
	return m.run("systemctl", "show", "--property="+name, "--value", unit)
}

// journal is all that the daemon, or systemd about it, said.
func (m *machine) journal() string {
	m.t.Helper()
	return m.run("journalctl", "-b", "-u", "dropship", "-o", "cat")
}

func (m *machine) write(path, text string, mode fs.FileMode) {
	m.t.Helper()
	path = filepath.Join(m.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		m.t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		m.t.Fatal(err)
	}
}

// read returns a file, nothing if there is none.
func (m *machine) read(path string) string {
	b, err := os.ReadFile(filepath.Join(m.root, path))
	if err != nil {
		return ""
	}
	return string(b)
}

func (m *machine) exists(path string) bool {
	_, err := os.Lstat(filepath.Join(m.root, path))
	return err == nil
}

// wait waits until something is so.
func (m *machine) wait(what string, is func() bool) {
	m.t.Helper()
	for end := time.Now().Add(limit); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			m.t.Fatalf("after %s it is not so that %s", limit, what)
		}
	}
}

// want compares.
func want[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func wantContains(t *testing.T, what, got, want string) {
	t.Helper()
	if !strings.Contains(got, want) {
		t.Errorf("%s: got %q, want it to contain %q", what, got, want)
	}
}
