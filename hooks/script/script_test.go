package script_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/hookstest"
	"github.com/dropship/dropship/hooks/script"
)

var discard = slog.New(slog.DiscardHandler)

func newHook(t *testing.T, source string) hooks.Hook {
	t.Helper()
	return hookstest.New(t, script.Kind(discard), source)
}

// command is a script block with a shell command.
func command(text string) string { return "command = <<-SH\n" + text + "\nSH\n" }

func TestSuite(t *testing.T) {
	const planted = `env = { TOKEN = "planted-token", URL = "https://u:planted-password@host/" }` + "\n"
	log := func(make func(t *testing.T, logger *slog.Logger) string) func(*testing.T, *slog.Logger) hooks.Hook {
		return func(t *testing.T, logger *slog.Logger) hooks.Hook {
			return hookstest.New(t, script.Kind(logger), planted+make(t, logger))
		}
	}
	source := func(text string) func(*testing.T, *slog.Logger) hooks.Hook {
		return log(func(*testing.T, *slog.Logger) string { return text })
	}
	hookstest.Run(t, hookstest.Case{
		Kind:    "script",
		Secrets: []string{"planted-token", "planted-password"},
		Works: func(t *testing.T, logger *slog.Logger) (hooks.Hook, func() []string) {
			file := filepath.Join(t.TempDir(), "out")
			h := source(command(`test -n "$TOKEN" && echo "$DROPSHIP_HASH" | tee -a `+file))(t, logger)
			return h, func() []string {
				b, err := os.ReadFile(file)
				if err != nil {
					return nil
				}
				return strings.Fields(string(b))
			}
		},
		Hangs: func(t *testing.T, logger *slog.Logger) (hooks.Hook, <-chan struct{}) {
			fifo, underWay := newFIFO(t)
			return source(command("echo x > "+fifo+"; sleep 60 & sleep 60"))(t, logger), underWay
		},
		Fails: map[string]func(t *testing.T, logger *slog.Logger) hooks.Hook{
			"exit status":  source(`command = "echo it broke; exit 3"`),
			"no program":   source(`command = ["/nonexistent/program"]`),
			"unknown user": source(`command = "true"` + "\n" + `user = "no-such-user"`),
		},
	})
}

// newFIFO returns a named pipe, and a channel that says that something was written to it.
func newFIFO(t *testing.T) (path string, written <-chan struct{}) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	// Opened for both, so that neither side ever waits for the other.
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	came, done := make(chan struct{}, 1), make(chan struct{})
	go func() {
		defer close(done)
		for lines := bufio.NewScanner(f); lines.Scan(); {
			select {
			case came <- struct{}{}:
			default:
			}
		}
	}()
	t.Cleanup(func() { f.Close(); <-done })
	return path, came
}

func TestRunError(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, source, want string }{
		{"exit status and output", `command = "echo one; echo two >&2; exit 3"`, `command failed: exit status 3; its last output: "`},
		{"signal", `command = "kill -SEGV $$"`, "command failed: signal: segmentation fault"},
		{"silent", `command = "exit 1"`, "command failed: exit status 1"},
		{"no program", `command = ["/nonexistent/x"]`, "cannot start /nonexistent/x in /: fork/exec /nonexistent/x: no such file or directory"},
		{"not in PATH", `command = ["no-such-program-anywhere"]`, `cannot start no-such-program-anywhere in /: exec: "no-such-program-anywhere": executable file not found in $PATH`},
		{"unknown user", "command = \"true\"\nuser = \"nosuch\"", "cannot run a command as user nosuch: user: unknown user nosuch"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := newHook(t, tt.source).Run(t.Context(), hooks.Event{})
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("got %v, want it to begin with %q", err, tt.want)
			}
		})
	}
}

func TestRunErrorCarriesStatusAndTheEndOfTheOutput(t *testing.T) {
	t.Parallel()
	err := newHook(t, `command = "for i in $(seq 5000); do echo line $i; done; exit 7"`).Run(t.Context(), hooks.Event{})
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 7 {
		t.Errorf("got %v, want an *exec.ExitError with status 7", err)
	}
	if !strings.HasSuffix(err.Error(), `line 4999\nline 5000"`) {
		t.Errorf("got %v, want the last lines in it", err)
	}
	if got, limit := len(err.Error()), 3<<10; got > limit {
		t.Errorf("the error has %d bytes, want at most %d", got, limit)
	}
}

func TestWorkingDirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "app.jar")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, destination, want string }{
		{"a folder", dir, dir},
		{"a file", file, dir},
		{"nothing yet", filepath.Join(dir, "missing"), "/"},
		{"none", "", "/"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			out := filepath.Join(t.TempDir(), "out")
			if err := newHook(t, `command = "pwd > `+out+`"`).Run(t.Context(), hooks.Event{Destination: tt.destination}); err != nil {
				t.Fatal(err)
			}
			if got, want := read(t, out), tt.want+"\n"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestListIsSeenByNoShell(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	program := filepath.Join(dir, "program")
	if err := os.WriteFile(program, []byte("#!/bin/sh\nfor a; do echo \"<$a>\"; done > args\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	h := newHook(t, `command = ["./program", "$HOME; exit 1", "a  b", "", 5]`)
	if err := h.Run(t.Context(), hooks.Event{Destination: dir}); err != nil {
		t.Fatal(err)
	}
	if got, want := read(t, filepath.Join(dir, "args")), "<$HOME; exit 1>\n<a  b>\n<>\n<5>\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestEnvironment(t *testing.T) {
	// What a daemon has and its scripts must not.
	for key, value := range map[string]string{
		"AWS_SECRET_ACCESS_KEY": "s", "OS_PASSWORD": "s", "CONSUL_HTTP_TOKEN": "s", "NOTIFY_SOCKET": "s",
		"INVOCATION_ID": "s", "DROPSHIP_ERROR": "outer", "DROPSHIP_SECRET": "s",
		"TZ": "UTC", "LANG": "C.UTF-8", "LC_ALL": "C", "TMPDIR": "/tmp", "HOME": "/home/daemon", "PATH": "/usr/bin:/bin",
	} {
		t.Setenv(key, value)
	}
	out := filepath.Join(t.TempDir(), "out")
	h := newHook(t, `
		command = ["/bin/sh", "-c", "env -0 > `+out+`"]
		env     = { APP_MODE = "live", HOME = "/srv/app", PORT = 8080 }
	`)
	ev := hooks.Event{Name: "web", Hash: "aa", Phase: hooks.Before, Status: hooks.StatusUpdate, Destination: "/nonexistent"}
	if err := h.Run(t.Context(), ev); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, v := range strings.Split(strings.TrimSuffix(read(t, out), "\x00"), "\x00") {
		key, value, _ := strings.Cut(v, "=")
		got[key] = value
	}
	delete(got, "_") // set by the shell, as are these two
	delete(got, "SHLVL")
	delete(got, "OLDPWD")
	want := map[string]string{
		"PATH": "/usr/bin:/bin", "HOME": "/srv/app", "USER": got["USER"], "LOGNAME": got["USER"], "PWD": "/",
		"TZ": "UTC", "LANG": "C.UTF-8", "LC_ALL": "C", "TMPDIR": "/tmp", "APP_MODE": "live", "PORT": "8080",
		"DROPSHIP_NAME": "web", "DROPSHIP_HOSTNAME": "", "DROPSHIP_HASH": "aa", "DROPSHIP_PREVIOUS_HASH": "",
		"DROPSHIP_PHASE": "before", "DROPSHIP_STATUS": "update", "DROPSHIP_ERROR": "", "DROPSHIP_ARTIFACT": "",
		"DROPSHIP_DESTINATION": "/nonexistent", "DROPSHIP_UPDATE_ID": "", "DROPSHIP_STARTED": "",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	if got["USER"] == "" {
		t.Error("USER is empty")
	}
}

func TestInputIsEmpty(t *testing.T) {
	t.Parallel()
	if err := newHook(t, `command = "if read -r line; then exit 1; fi"`).Run(t.Context(), hooks.Event{}); err != nil {
		t.Error(err)
	}
}

func TestUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	for _, name := range []string{"nobody", "65534"} {
		err := newHook(t, `
			command = "echo $(id -un) $(id -gn) $(grep Groups /proc/self/status) $USER $LOGNAME $HOME; exit 1"
			user    = "`+name+`"
		`).Run(t.Context(), hooks.Event{})
		if got, want := fmt.Sprint(err), `"nobody nogroup Groups: 65534 nobody nobody /nonexistent"`; !strings.HasSuffix(got, want) {
			t.Errorf("user %s: got %s, want it to end with %s", name, got, want)
		}
	}
	closed := t.TempDir()
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	err := newHook(t, "command = \"true\"\nuser = \"nobody\"").Run(t.Context(), hooks.Event{Destination: closed})
	if got, want := fmt.Sprint(err), "as user nobody in "+closed; !strings.Contains(got, want) || !errors.Is(err, os.ErrPermission) {
		t.Errorf("got %v, want %q in it, and os.ErrPermission", got, want)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// readPID waits until a process has written its id into path.
func readPID(t *testing.T, path string) int {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		b, err := os.ReadFile(path)
		if err != nil || !strings.HasSuffix(string(b), "\n") {
			continue
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
		if err != nil {
			t.Fatal(err)
		}
		return pid
	}
	t.Fatalf("no process has written its id into %s", path)
	return 0
}

// running says whether a process is there and not a zombie.
func running(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// cancelOnce returns a context that is cancelled when a process id stands in path, and that id.
func cancelOnce(t *testing.T, path string) (context.Context, <-chan int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	pid := make(chan int, 1)
	go func() {
		defer cancel()
		pid <- readPID(t, path)
	}()
	return ctx, pid
}
