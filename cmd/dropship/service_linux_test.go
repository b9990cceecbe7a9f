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
	dropship := filepath.Join(t.TempDir(), "dropship")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", dropship, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("cannot build dropship: %v\n%s", err, out)
	}
	story, err := filepath.Abs("testdata/service/sysv.sh")
	if err != nil {
		t.Fatal(err)
	}
	// Not below /tmp by way of a symlink, nor on the tmpfs that the story mounts.
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(dropship), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "--mount-proc",
		"sh", story, dropship)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatalf("the story of the service: %v", err)
	}
}
