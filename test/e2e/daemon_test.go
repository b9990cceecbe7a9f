package e2e

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A daemon is one dropship agent: a process of its own with a directory of its own.
type daemon struct {
	t    *testing.T
	dir  string // working directory; the configuration is dropship.hcl in it
	env  []string
	host string // the machine's name, which takes root; empty: this machine's
	cmd  *exec.Cmd
	log  output
	done chan struct{} // closed when the process has ended
}

// newDaemon writes the configuration files, by name, and starts nothing.
func newDaemon(t *testing.T, files map[string]string) *daemon {
	t.Helper()
	dir, err := os.MkdirTemp("", "dropship-e2e-") // t.TempDir is too long for the name of a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	d := &daemon{t: t, dir: dir}
	for name, text := range files {
		d.write(name, text)
	}
	return d
}

func (d *daemon) write(name, text string) {
	d.t.Helper()
	path := filepath.Join(d.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

// start runs the agent; the end of the test ends it.
func (d *daemon) start() {
	d.t.Helper()
	d.cmd = exec.Command(binary, "agent", "--config", "dropship.hcl", "--log-level", "debug")
	d.cmd.Dir = d.dir
	d.cmd.Env = append(os.Environ(), d.env...)
	onHost(d.cmd, d.host)
	d.cmd.Stdout, d.cmd.Stderr = &d.log, &d.log
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) {
		defer close(done)
		_ = cmd.Wait()
	}(d.cmd, d.done)
	d.t.Cleanup(func() {
		d.kill()
		if d.t.Failed() {
			quiet := regexp.MustCompile(`.*(msg="up to date"|hash that failed here" service).*\n`)
			d.t.Logf("log of the agent in %s:\n%s", d.dir, quiet.ReplaceAllString(d.log.String(), ""))
		}
	})
}

func (d *daemon) signal(s os.Signal) {
	d.t.Helper()
	if err := d.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		d.t.Fatal(err)
	}
}

// stop ends the agent as a service manager does, and returns its exit code.
func (d *daemon) stop(s os.Signal) int {
	d.t.Helper()
	d.signal(s)
	select {
	case <-d.done:
	case <-time.After(limit):
		d.t.Fatalf("the agent did not end within %s of %v\n%s", limit, s, d.log.String())
	}
	return d.cmd.ProcessState.ExitCode()
}

// kill ends the agent as a power cut does.
func (d *daemon) kill() {
	if d.cmd == nil {
		return
	}
	_ = d.cmd.Process.Signal(syscall.SIGKILL)
	<-d.done
}

// waitLog waits until the log holds that text at least so many times.
func (d *daemon) waitLog(text string, times int) {
	d.t.Helper()
	waitFor(d.t, limit, "the log to say "+text, func() bool {
		return strings.Count(d.log.String(), text) >= times
	})
}

// run runs another dropship command with the daemon's configuration.
func (d *daemon) run(args ...string) (stdout, stderr string, code int) {
	d.t.Helper()
	cmd := exec.Command(binary, append(args, "--config", "dropship.hcl")...)
	cmd.Dir = d.dir
	cmd.Env = append(os.Environ(), d.env...)
	onHost(cmd, d.host)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		d.t.Fatal(err)
	}
	return out.String(), errOut.String(), cmd.ProcessState.ExitCode()
}

// read returns the content of a file below the daemon's directory, or nothing if it is not there.
func (d *daemon) read(name string) string {
	data, _ := os.ReadFile(filepath.Join(d.dir, name))
	return string(data)
}

// waitFile waits until a file below the daemon's directory has that content.
func (d *daemon) waitFile(name, want string) {
	d.t.Helper()
	waitFor(d.t, limit, name+" to be "+want, func() bool { return strings.TrimSpace(d.read(name)) == want })
}

// waitFor waits for a condition.
func waitFor(t *testing.T, limit time.Duration, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(limit)
	for !done() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited %s in vain for %s", limit, what)
		}
	}
}

// An output collects what a process writes.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// limit is how long a test waits for what should come soon.
const limit = 90 * time.Second

// killPid ends the process whose id a hook wrote down.
func killPid(t *testing.T, d *daemon) {
	t.Helper()
	if pid, err := strconv.Atoi(strings.TrimSpace(d.read("pid"))); err == nil {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}
