package script_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/dropship/dropship/hooks"
)

// nobody is the user and the group that the tests of a daemon without root run as.
const nobody = 65534

// TestUnprivilegedChild is run as nobody by TestUnprivileged, and is nothing by itself.
func TestUnprivilegedChild(t *testing.T) {
	if os.Getenv("SCRIPT_TEST_UNPRIVILEGED") == "" {
		return
	}
	for _, user := range []string{"", `user = "nobody"`, `user = "65534"`} {
		h := newHook(t, "command = \"true\"\n"+user)
		if err := h.(hooks.Ready).Ready(); err != nil {
			t.Errorf("its own user (%s): %v", user, err)
		}
		if err := h.Run(t.Context(), hooks.Event{}); err != nil {
			t.Errorf("its own user (%s): %v", user, err)
		}
	}
	const want = "cannot run a command as user root: the agent runs as uid 65534, and only root can become another user: run dropship as root, or remove user"
	h := newHook(t, "command = \"true\"\nuser = \"root\"")
	for what, err := range map[string]error{"ready": h.(hooks.Ready).Ready(), "run": h.Run(t.Context(), hooks.Event{})} {
		if err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", what, err, want)
		}
	}
}

// What a daemon that does not run as root cannot do it knows before there is anything to do.
func TestUnprivileged(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	t.Parallel()
	if err := newHook(t, "command = \"true\"\nuser = \"nobody\"").(hooks.Ready).Ready(); err != nil {
		t.Errorf("as root: %v", err)
	}
	// Where that user can reach it; and not copied by this process: a test that forks meanwhile would hold the copy open for
	// writing, and nobody may execute it then.
	dir, err := os.MkdirTemp("", "script")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	child := filepath.Join(dir, "child")
	if out, err := exec.CommandContext(t.Context(), "install", "-m", "755", os.Args[0], child).CombinedOutput(); err != nil {
		t.Fatalf("install: %v\n%s", err, out)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), child, "-test.run=^TestUnprivilegedChild$", "-test.v")
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", "SCRIPT_TEST_UNPRIVILEGED=yes")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "PASS: TestUnprivilegedChild") {
		t.Errorf("as uid %d: %v\n%s", nobody, err, out)
	}
}
