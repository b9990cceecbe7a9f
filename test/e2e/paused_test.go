package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dropship/dropship/test/servers"
)

// A machine that is stopped in its before chain for three TTLs, with its hook or without, loses its turn to the next
// one. When it goes on it does not switch, puts in order what its before chain did, and updates in a turn of its own.
func TestPausedInTheBeforeChainDoesNotSwitch(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		hook bool // is stopped too
	}{
		{"agent alone", false},
		{"agent and hook", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			const ttl = 2 * time.Second
			artifacts := t.TempDir()
			publish(t, artifacts, version(t, "1"))
			group := fmt.Sprintf("paused-%d", time.Now().UnixNano())
			machine := func() *daemon {
				d := newDaemon(t, nil)
				d.write("dropship.hcl", fmt.Sprintf(`stateDir = "state"
socket = "dropship.sock"
repo "file" { root = %q }
lock "consul" {
  address = %q
  ttl     = %q
  prefix  = "e2e"
}
service "web" {
  sequentialUpdates = true
  updateGroup       = %q
  checkInterval     = "200ms"
  before "script" {
    command = "cd %[5]s; echo before >>ran; [ ! -e hang ] || { echo $$ >pid; while [ -e hang ]; do sleep 0.05; done; }"
    timeout = "1h"
  }
  artifact "file" {
    path        = "web.tar.gz"
    destination = "web"
  }
  after "script" { command = "stat -c %%i . >../inode-$DROPSHIP_STATUS; echo $DROPSHIP_STATUS $(cat VERSION) >>../ran" }
}
`, artifacts, servers.Get(t).Consul.Address, ttl.String(), group, d.dir))
				return d
			}
			first, second := machine(), machine()
			t.Cleanup(func() { killPid(t, first) })
			for _, d := range []*daemon{first, second} {
				d.start()
				d.waitFile("ran", "before\nupdate 1")
			}
			first.write("hang", "")
			second.write("hang", "") // until the first one is in its turn
			installed := inode(t, first)
			second.signal(syscall.SIGSTOP)
			publish(t, artifacts, version(t, "2"))
			waitFor(t, limit, "the hook to begin", func() bool { return strings.Count(first.read("pid"), "\n") == 1 })
			hook, err := strconv.Atoi(strings.TrimSpace(first.read("pid")))
			if err != nil {
				t.Fatal(err)
			}
			first.signal(syscall.SIGSTOP)
			if test.hook {
				if err := syscall.Kill(-hook, syscall.SIGSTOP); err != nil {
					t.Fatal(err)
				}
			}
			stopped := time.Now()
			if err := os.Remove(filepath.Join(second.dir, "hang")); err != nil {
				t.Fatal(err)
			}
			second.signal(syscall.SIGCONT)
			second.waitFile("web/VERSION", "2")
			second.waitLog("msg=updated", 2)
			t.Logf("the other machine updated %s after the stop", time.Since(stopped).Round(time.Millisecond))
			waitFor(t, limit, "three TTLs", func() bool { return time.Since(stopped) > 3*ttl })

			// The hook would end now, and the switch be next.
			if err := os.Remove(filepath.Join(first.dir, "hang")); err != nil {
				t.Fatal(err)
			}
			if test.hook {
				if err := syscall.Kill(-hook, syscall.SIGCONT); err != nil {
					t.Fatal(err)
				}
			} else {
				waitFor(t, limit, "the hook to end", func() bool { return !runs(hook) })
			}
			first.signal(syscall.SIGCONT)
			// It ran its after chain on what it had, and had its turn later.
			first.waitFile("ran", "before\nupdate 1\nbefore\nfailed 1\nbefore\nupdate 2")
			first.waitLog("msg=updated", 2)
			if got, want := strings.TrimSpace(first.read("inode-failed")), fmt.Sprint(installed); got != want {
				t.Errorf("after it went on the destination was %s, want %s: it switched", got, want)
			}
			log := first.log.String()
			if !strings.Contains(log, "slot lost") {
				t.Errorf("the log does not say that the slot was lost:\n%s", log)
			}
			for _, d := range []*daemon{first, second} {
				if code := d.stop(terminate); code != 0 {
					t.Errorf("exit code: got %d, want 0", code)
				}
			}
		})
	}
}

// runs reports whether a process still runs: a zombie, whose parent is stopped, does not.
func runs(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(data), ") ")
	return !strings.HasPrefix(after, "Z")
}
