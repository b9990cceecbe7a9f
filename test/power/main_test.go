package power_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/dropship/dropship/test/power"
)

// binary is dropship.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	if err := power.Isolate(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	dir, err := os.MkdirTemp("", "dropship-power-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "dropship")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", binary, "../../cmd/dropship").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "cannot build dropship: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}
