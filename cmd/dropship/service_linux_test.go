package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The service that System V init gets is installed and really run: with namespaces of its own, in which nothing of
// the machine's own services is seen and nothing is left behind.
func TestServiceOfSystemV(t *testing.T) {
	t.Parallel()
	tell(t, "sysv.sh", "unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc", "sh")
}

// The service that systemd gets, on a machine that it has booted.
func TestServiceOfSystemd(t *testing.T) {
	t.Parallel()
	boot, err := filepath.Abs("../../test/systemd/boot.sh")
	if err != nil {
		t.Fatal(err)
	}
	tell(t, "systemd.sh", boot, "-H", "-", "sh")
}

// tell has a command run a script of testdata/service in an empty directory, with the path of dropship.
func tell(t *testing.T, script string, command ...string) {
	t.Helper()
	script, err := filepath.Abs(filepath.Join("testdata", "service", script))
	if err != nil {
		t.Fatal(err)
	}
	dropship := filepath.Join(t.TempDir(), "dropship")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", dropship, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // it runs on another machine, too
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("cannot build dropship: %v\n%s", err, out)
	}
	words := append(command[1:], script, dropship)
	cmd := exec.CommandContext(t.Context(), command[0], words...)
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatalf("%s: %v", filepath.Base(script), err)
	}
}
