package main

import (
	"bytes"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
)

// An apply that nobody interrupted says nothing of an interruption, not even while it ends.
func TestApplyThatEndsIsNotInterrupted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := filepath.Join(dir, "dropship.hcl")
	text := fmt.Sprintf(`stateDir = "%[1]s/state"
repo "file" { root = "%[1]s" }
service "web" {
  artifact "file" {
    path        = "web.tar.gz"
    destination = "%[1]s/web"
  }
}
`, dir)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := pack(filepath.Join(dir, "web.tar.gz"), "1"); err != nil {
		t.Fatal(err)
	}
	// The first call starts goroutines of the process, which never end.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGURG)
	var out, log bytes.Buffer
	synctest.Test(t, func(t *testing.T) { // which waits for every goroutine that apply leaves behind
		if code := run(t.Context(), []string{"apply", "--config", config}, &out, &log); code != exitDone {
			t.Errorf("exit code: got %d, want %d\n%s", code, exitDone, log.String())
		}
	})
	if !strings.Contains(out.String(), "web: installed") || strings.Contains(log.String(), "interrupted") {
		t.Errorf("got the output\n%s\nand the log\n%s\nwant an install, and nothing of an interruption", out.String(), log.String())
	}
}
