package systemd

import (
	"crypto/sha256"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestPackageIsReproducible(t *testing.T) {
	t.Parallel()
	var sums [2][sha256.Size]byte
	again := func() (string, error) { return build("again") }
	for i, build := range []func() (string, error){pkg, again} {
		b, err := os.ReadFile(must(t, build))
		if err != nil {
			t.Fatal(err)
		}
		sums[i] = sha256.Sum256(b)
	}
	if sums[0] != sums[1] {
		t.Errorf("two builds of the same files differ: sha256 %x and %x", sums[0], sums[1])
	}
}

func TestLintianHasNothingToSay(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "lintian", "--allow-root", "--fail-on=error,warning", "--info", must(t, pkg)).CombinedOutput()
	if err != nil {
		t.Errorf("lintian: %v\n%s", err, out)
	}
}

// manual is docs/operations.md, which tells what systemd says of the unit, and a drop-in.
func manual(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// exposures are the two that the manual tells: of the unit as it is, and with the drop-in.
func exposures(t *testing.T) (unit, tightened float64) {
	t.Helper()
	match := regexp.MustCompile("`systemd-analyze security dropship.service` says ([0-9.]+)\\. .*? it says ([0-9.]+)\\.").FindStringSubmatch(
		strings.ReplaceAll(manual(t), "\n", " "))
	if match == nil {
		t.Fatal("the manual does not tell what systemd-analyze security says")
	}
	var got [2]float64
	for i := range got {
		var err error
		if got[i], err = strconv.ParseFloat(match[i+1], 64); err != nil {
			t.Fatal(err)
		}
	}
	return got[0], got[1]
}

// dropIn is the manual's for those whose hooks need little.
func dropIn(t *testing.T) string {
	t.Helper()
	match := regexp.MustCompile("(?s)```ini\n(# /etc/systemd/system/dropship.service.d/hardening.conf\n.*?)```").FindStringSubmatch(manual(t))
	if match == nil {
		t.Fatal("the manual has no drop-in")
	}
	return match[1]
}
