package script_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dropship/dropship/hooks"
)

// pidFileOfAgent is set in a child process, which stands for the agent: it runs a hook until it is killed.
const pidFileOfAgent = "DROPSHIP_TEST_PID_FILE"

func TestCommandDiesWithAKilledAgent(t *testing.T) {
	t.Parallel()
	if pidFile := os.Getenv(pidFileOfAgent); pidFile != "" {
		err := newHook(t, command("echo $$ > "+pidFile+"; while :; do sleep 0.1; done")).Run(t.Context(), hooks.Event{})
		t.Fatalf("the hook ended before the agent: %v", err)
	}
	pidFile := filepath.Join(t.TempDir(), "pid")
	agent := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	agent.Env = append(os.Environ(), pidFileOfAgent+"="+pidFile)
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = agent.Wait() })
	pid := 0
	within(t, "the hook to begin", func() bool {
		text, _ := os.ReadFile(pidFile)
		pid, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		return pid != 0
	})
	// Threads of the agent come and go meanwhile: that must not end a hook.
	if !running(pid) {
		t.Fatal("the hook ended by itself")
	}
	if err := agent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	within(t, "the command to die with the agent", func() bool { return !running(pid) })
}

func within(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(time.Minute)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
