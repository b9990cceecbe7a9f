// Package e2e runs the dropship binary as its users do, as processes with configuration files, against the
// real Consul, S3, Swift and Graphite of test/servers.
package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// binary is dropship, built with the race detector; app is the web server that tests deploy.
var binary, app string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "dropship-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary, app = filepath.Join(dir, "dropship"), filepath.Join(dir, "app")
	for out, pkg := range map[string]string{binary: "../../cmd/dropship", app: "../demo/app"} {
		build := exec.Command("go", "build", "-race", "-buildvcs=false", "-o", out, pkg)
		if text, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "cannot build %s: %v\n%s", pkg, err, text)
			return 1
		}
	}
	// The race detector lets a process that ends by itself sleep for a second, and there are hundreds.
	if err := os.Setenv("GORACE", "atexit_sleep_ms=0"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}
