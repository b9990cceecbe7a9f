package api_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/dropship/api"
)

// askEnv tells a process to ask the agent at a socket.
const askEnv = "DROPSHIP_TEST_ASK"

// stranger is the uid of somebody else.
const stranger = 12345

func TestMain(m *testing.M) {
	if path := os.Getenv(listenEnv); path != "" {
		if _, err := api.Listen(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0) // and not Close
	}
	if path := os.Getenv(askEnv); path != "" {
		os.Exit(ask(path))
	}
	os.Exit(m.Run())
}

func pid() string { return strconv.Itoa(os.Getpid()) }

// ask asks as a command does, and says what came of it.
func ask(path string) int {
	client := api.NewClient(path)
	_, err := client.Pause(context.Background(), "web", dropship.Pause{By: "stranger"})
	_, events := client.Events(context.Background())
	if errors.Is(err, fs.ErrPermission) && errors.Is(events, fs.ErrPermission) {
		fmt.Println("refused:", err)
		return 0
	}
	fmt.Printf("got errors %v, %v\n", err, events)
	return 1
}

// Another user is refused by the mode of the socket, by that of its directory, and, where somebody has opened both, by
// who it is.
func TestAnotherUserIsRefused(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	m := started(t)
	if err := os.Chmod(m.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	self := m.path("ask")
	if out, err := exec.CommandContext(t.Context(), "install", "-m", "755", os.Args[0], self).CombinedOutput(); err != nil {
		t.Fatalf("install: %v\n%s", err, out)
	}
	run := filepath.Dir(m.socket)
	for _, test := range []struct {
		name        string
		dir, socket fs.FileMode
		says        string
	}{
		{"as it is made", 0o700, 0o600, "permission denied: the socket of the agent, " + m.socket},
		{"an open directory", 0o755, 0o600, "permission denied: the socket of the agent, " + m.socket},
		{"open to all", 0o777, 0o777, fmt.Sprintf("permission denied: the agent answers root and the user that it runs as (uid 0), and uid %d asks", stranger)},
	} {
		if err := errors.Join(os.Chmod(run, test.dir), os.Chmod(m.socket, test.socket)); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), self)
		cmd.Env, cmd.Dir = append(os.Environ(), askEnv+"="+m.socket), "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: stranger, Gid: stranger}}
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "refused: "+test.says) {
			t.Errorf("%s: got %q, error %v, want %q", test.name, out, err, test.says)
		}
	}
	if st, _ := m.agent.Status("web"); st.Paused != nil {
		t.Errorf("paused: %v", st.Paused)
	}
}
