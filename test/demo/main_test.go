package main

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The demo is what people run first: it must work, tell its story in order, and leave nothing behind.
func TestDemo(t *testing.T) {
	t.Parallel()
	temp := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "run", "./test/demo", "-ldflags", "-X main.version=1.2.3")
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "TMPDIR="+temp, "GOFLAGS=-buildvcs=false") // whoever the checkout belongs to
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	steps := regexp.MustCompile(`(?m)^==> \w+ \w+|msg=updat(?:ing|ed)|msg="update rolled back|-> version \d|waiting for another one`)
	want := []string{
		"==> Building dropship",
		"==> Version 1", "msg=updating", "msg=updated", "-> version 1",
		"==> Version 2", "msg=updating", "msg=updated", "-> version 2",
		"==> Version 3", "msg=updating", `msg="update rolled back`, "-> version 2",
		"==> The hash", "waiting for another one",
		"==> Version 4", "msg=updating", "msg=updated", "-> version 4",
		"==> That was",
	}
	if got := steps.FindAllString(string(out), -1); !slices.Equal(got, want) {
		t.Errorf("the steps are %q, want %q\n%s", got, want, out)
	}
	if !strings.Contains(string(out), "version=1.2.3 ") {
		t.Errorf("the log does not tell the version:\n%s", out)
	}
	if !strings.Contains(string(out), "cannot reach the database") {
		t.Errorf("why version 3 is taken back is not told:\n%s", out)
	}
	left, err := os.ReadDir(temp)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
