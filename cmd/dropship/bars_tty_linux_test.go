package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// patience is how long something may take that should happen at once: this machine may be busy.
const patience = time.Minute

// A tty is a real terminal, tmux's, in which a shell runs a command line.
type tty struct {
	t   *testing.T
	dir string // with tmux's socket, whose path must be short, and with dropship
}

// newTTY runs a command line in a terminal of that size. When it has ended, "exit CODE" stands on the screen.
func newTTY(t *testing.T, columns, rows int, line string, env ...string) *tty {
	t.Helper()
	dir, err := os.MkdirTemp("", "tty-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// By these names the test's own binary is the command: see TestMain.
	for _, name := range []string{"dropship", "flood"} {
		if err := os.Symlink(self, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	config := "set -g status off\nset -g default-terminal screen-256color\nset -g history-limit 1000\n"
	if err := os.WriteFile(filepath.Join(dir, "tmux.conf"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &tty{t, dir}
	// Ctrl-C is for the command, and the shell goes on. The first line is there as it mostly is: tmux keeps what is
	// erased from the very top of a terminal among what has scrolled away.
	line = "trap : INT; echo $ dropship; PATH=" + dir + ":$PATH; export PATH " + strings.Join(env, " ") + "; " + line + `; echo "exit $?"; exec sleep 600`
	s.tmux("-f", filepath.Join(dir, "tmux.conf"), "new-session", "-d", "-x", strconv.Itoa(columns), "-y", strconv.Itoa(rows), "exec sh -c '"+line+"'")
	t.Cleanup(func() { s.tmux("kill-server") })
	return s
}

func (s *tty) tmux(args ...string) string {
	s.t.Helper()
	cmd := exec.Command("tmux", append([]string{"-S", filepath.Join(s.dir, "s")}, args...)...) //nolint:noctx // also after the test's context
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "GORACE=atexit_sleep_ms=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("tmux %q: %v: %s", args, err, out)
	}
	return string(out)
}

// screen returns the lines on it, as a person sees them, from the first that is not empty to the last.
func (s *tty) screen(options ...string) []string {
	s.t.Helper()
	text := s.tmux(append([]string{"capture-pane", "-p"}, options...)...)
	return strings.Split(strings.Trim(text, "\n"), "\n")
}

// waitFor waits until that is on the screen, and returns what else is.
func (s *tty) waitFor(text string) []string {
	s.t.Helper()
	return s.waitUntil(fmt.Sprintf("%q", text), func(screen []string) bool { return strings.Contains(strings.Join(screen, "\n"), text) })
}

func (s *tty) waitUntil(what string, ok func(screen []string) bool) []string {
	s.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for {
		screen := s.screen()
		if ok(screen) {
			return screen
		}
		select {
		case <-tick.C:
		case <-deadline:
			s.t.Fatalf("not on the screen within %s: %s\n%s", patience, what, strings.Join(screen, "\n"))
		}
	}
}

// resize gives the terminal another width.
func (s *tty) resize(columns int) {
	s.t.Helper()
	s.tmux("resize-window", "-x", strconv.Itoa(columns))
}

// clean fails unless the terminal is as it was before: its cursor is visible and below the last line, and it has no
// other screen than its own.
func (s *tty) clean() {
	s.t.Helper()
	want := fmt.Sprintf("1 0 0 %d", len(strings.Split(strings.TrimRight(s.tmux("capture-pane", "-p"), "\n"), "\n")))
	if got := strings.TrimSpace(s.tmux("display-message", "-p", "#{cursor_flag} #{alternate_on} #{cursor_x} #{cursor_y}")); got != want {
		s.t.Errorf("the terminal: got %q, want %q (cursor visible, no other screen, column, row)\n%s", got, want, strings.Join(s.screen(), "\n"))
	}
}
