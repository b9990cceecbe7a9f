package consul_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/dropship/dropship/lock/consul"
	"github.com/dropship/dropship/test/servers"
)

// These are set in a child process: it takes the slot, prints "held", and "lost" when it is.
const (
	childAddress = "DROPSHIP_TEST_CONSUL"
	childBlock   = "DROPSHIP_TEST_LOCK_BLOCK"
)

func TestMain(m *testing.M) {
	if address := os.Getenv(childAddress); address != "" {
		if err := hold(address, os.Getenv(childBlock)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	// Most of these tests wait for a TTL or for an election: as many as there are may do so at the same time.
	if err := flag.Set("test.parallel", "16"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func hold(address, block string) error {
	file, diags := hclsyntax.ParseConfig([]byte(block), "lock.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		return errors.New(diags.Error())
	}
	l, diags := consul.New(consul.Connection{Address: address}, file.Body, nil)
	if diags.HasErrors() {
		return errors.New(diags.Error())
	}
	req := request("child")
	req.Holder.PID = os.Getpid()
	lease, err := l.Acquire(context.Background(), req)
	if err != nil {
		return err
	}
	fmt.Println("held")
	<-lease.Lost()
	fmt.Println("lost")
	return nil
}

// child starts a process that holds the slot, and returns it with the lines that it prints next.
func child(t *testing.T, address, block string) (*os.Process, <-chan string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), childAddress+"="+address, childBlock+"="+block)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 10)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for s := bufio.NewScanner(out); s.Scan(); {
			lines <- s.Text()
		}
		_ = cmd.Wait() // killed, or done
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-ended
	})
	if line := get(t, lines, patience, "the child"); line != "held" {
		t.Fatalf("the child says %q, want held", line)
	}
	return cmd.Process, lines
}

func TestSlotOfKilledHolderComesFreeAfterTheTTLNotBefore(t *testing.T) {
	t.Parallel()
	const ttl = 4 * time.Second
	address := servers.Get(t).Consul.Address
	prefix := newPrefix(t, newClient(t, address))
	process, _ := child(t, address, block(prefix, ttl.String()))
	waiter := wait(t, newLocker(t, address, block(prefix, "60s")), request("web-02"))
	if err := process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	next := turn(t, waiter, 2*ttl+patience)
	took := time.Since(killed)
	held(t, next)
	// The child renewed last at most a third of the TTL, and what a renewal takes, before it was killed.
	if took < ttl/2 {
		t.Errorf("the slot was given on %s after the kill, want no sooner than the TTL of %s after the last renewal", took, ttl)
	}
	t.Logf("given on %s after the kill, TTL %s", took.Round(time.Millisecond), ttl)
}

// A process that was stopped past its TTL notices the loss when it goes on, and does not renew.
func TestPausedHolderNoticesTheLossFirst(t *testing.T) {
	t.Parallel()
	const ttl = 4 * time.Second
	address := servers.Get(t).Consul.Address
	prefix := newPrefix(t, newClient(t, address))
	p := newProxy(t, address)
	process, lines := child(t, p.address, block(prefix, ttl.String()))
	waiter := wait(t, newLocker(t, address, block(prefix, "60s")), request("web-02"))

	if err := process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	next := turn(t, waiter, 2*ttl+patience)
	select {
	case line := <-lines:
		t.Fatalf("the stopped child says %q", line)
	default:
	}
	renewals := p.count("session/renew")
	if err := process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if line := get(t, lines, patience, "the child, after it goes on"); line != "lost" {
		t.Errorf("the child says %q, want lost", line)
	}
	if got := p.count("session/renew"); got != renewals {
		t.Errorf("it sent %d renewals after it went on, want none", got-renewals)
	}
	held(t, next)
}
