package systemd

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// scratch is where the packages are built.
var scratch string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if booted() {
		return m.Run()
	}
	var err error
	if scratch, err = os.MkdirTemp("", "dropship-systemd-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(scratch)
	return m.Run()
}

// newer is the version of the package to upgrade to. Its configuration has one line more at the end.
const newer = "9.0.0"

const newerLine = "# What the newer package says besides."

var (
	pkg      = sync.OnceValues(func() (string, error) { return build("package") })
	newerPkg = sync.OnceValues(func() (string, error) {
		return build("newer", `DEB_EDIT=sed -i "1s/(.*)/(`+newer+`)/" debian/changelog; echo "`+newerLine+`" >>packaging/dropship.hcl`)
	})
)

// build makes the package of this checkout for this machine, and returns where it is.
func build(dir string, variables ...string) (string, error) {
	arch, err := exec.Command("dpkg", "--print-architecture").Output()
	if err != nil {
		return "", fmt.Errorf("cannot tell the architecture of this machine: %w", err)
	}
	dir = filepath.Join(scratch, dir)
	args := append([]string{"-s", "-C", "../..", "deb", "DEB_DIR=" + dir, "DEB_ARCH=" + string(bytes.TrimSpace(arch))}, variables...)
	cmd := exec.Command("make", args...)
	cmd.Env = append(os.Environ(), "DPKG_DEB_COMPRESSOR_LEVEL=1") // a third of the time
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build the package: %w\n%s", err, out)
	}
	found, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("got the packages %s in %s (%w), want one", strings.Join(found, ", "), dir, err)
	}
	return found[0], nil
}

func must(t *testing.T, build func() (string, error)) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
