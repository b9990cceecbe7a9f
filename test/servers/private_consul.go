package servers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

const consulStartLimit = time.Minute

// A PrivateConsul is a Consul server of one test, without ACLs. Unlike those of the [Set] it keeps its state on disk,
// so keys and sessions survive a stop and a kill. Its methods are called from the test's goroutine, and fail the test
// when they cannot do what they say.
type PrivateConsul struct {
	Address string // host:port of the HTTP API, the same after each start

	t       testing.TB
	program string
	config  string
	cfg     consulConfig
	log     string
	cmd     *exec.Cmd
	exited  chan struct{} // closed when cmd has ended
}

// NewConsul starts a server on free ports and returns once it can write. It ends with the test, and at the latest
// with the test's process, even if that is killed. Where no set is up, it skips or fails the test as [Get] does.
func NewConsul(t testing.TB) *PrivateConsul {
	t.Helper()
	program := get(t).Tools.Consul
	p, err := reservePorts(consulPorts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.release)
	dir := t.TempDir()
	cfg := newConsulConfig("private", p)
	cfg.DataDir = filepath.Join(dir, "data")
	c := &PrivateConsul{
		Address: cfg.address(),
		t:       t,
		program: program,
		config:  filepath.Join(dir, "consul.hcl"),
		cfg:     cfg,
		log:     filepath.Join(dir, "consul.log"),
	}
	if err := render("consul.hcl", c.config, cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.end(syscall.SIGKILL)
		if t.Failed() {
			t.Logf("consul at %s\n%s", c.Address, logTail(c.log))
		}
	})
	c.Start()
	return c
}

// Start starts the server again, on the same ports and with the state it had. A running server stays as it is.
func (c *PrivateConsul) Start() {
	c.t.Helper()
	if c.cmd != nil {
		return
	}
	cmd, err := command(c.log, nil, c.program, "agent", "-config-file="+c.config)
	if err != nil {
		c.t.Fatalf("cannot start consul: %v", err)
	}
	exited, err := startWithTest(cmd)
	if err != nil {
		c.t.Fatalf("cannot start consul: %v", err)
	}
	c.cmd, c.exited = cmd, exited

	ctx, cancel := context.WithTimeoutCause(c.t.Context(),
		consulStartLimit, fmt.Errorf("not ready after %s", consulStartLimit))
	defer cancel()
	p := &process{Name: "consul", Log: c.log, exited: exited}
	if err := p.await(ctx, c.cfg.ready); err != nil {
		c.t.Fatal(err)
	}
}

// startWithTest starts a command that ends at the latest with this process, even if that is killed. The channel is
// closed when it has ended.
func startWithTest(cmd *exec.Cmd) (exited chan struct{}, err error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started, exited := make(chan error), make(chan struct{})
	go func() {
		// The kernel sends Pdeathsig when the thread that started the child ends: this one stays as long as the child.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(exited)
		err := cmd.Start()
		cmd.Stdout.(*os.File).Close()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in its log
		}
	}()
	return exited, <-started
}

// Stop ends the server in an orderly way (SIGTERM) and returns when it has ended.
func (c *PrivateConsul) Stop() {
	c.t.Helper()
	c.end(syscall.SIGTERM)
}

// Kill ends the server as a crash would (SIGKILL) and returns when it has ended.
func (c *PrivateConsul) Kill() {
	c.t.Helper()
	c.end(syscall.SIGKILL)
}

// Wipe removes the state of a server that is stopped: the next start begins empty.
func (c *PrivateConsul) Wipe() {
	c.t.Helper()
	if c.cmd != nil {
		c.t.Fatal("cannot wipe a consul that runs")
	}
	if err := os.RemoveAll(c.cfg.DataDir); err != nil {
		c.t.Fatal(err)
	}
}

func (c *PrivateConsul) end(signal syscall.Signal) {
	c.t.Helper()
	if c.cmd == nil {
		return
	}
	cmd := c.cmd
	c.cmd = nil
	_ = cmd.Process.Signal(signal) // an error means that it has ended already
	select {
	case <-c.exited:
	case <-time.After(stopGrace):
		_ = cmd.Process.Kill()
		<-c.exited
		c.t.Errorf("consul did not end within %s of %v\n%s", stopGrace, signal, logTail(c.log))
	}
}
