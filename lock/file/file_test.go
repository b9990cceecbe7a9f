package file_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/dropship/dropship/lock"
	"github.com/dropship/dropship/lock/file"
	"github.com/dropship/dropship/lock/locktest"
)

// childDir is set in a child process: it takes the slot, says so, and holds it until it is killed.
const childDir = "DROPSHIP_TEST_LOCK_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		os.Exit(hold(dir))
	}
	os.Exit(m.Run())
}

func hold(dir string) int {
	l, diags := newLocker(fmt.Sprintf("path = %q", dir))
	if diags.HasErrors() {
		fmt.Fprintln(os.Stderr, diags)
		return 2
	}
	req := lock.Request{Group: "web", Slots: 1, Holder: lock.Holder{Host: "child", PID: os.Getpid(), Service: "shop"}}
	lease, err := l.Acquire(context.Background(), req)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println("held")
	<-lease.Lost()
	return 0
}

func newLocker(block string) (lock.Locker, hcl.Diagnostics) {
	f, diags := hclsyntax.ParseConfig([]byte(block), "lock.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		return nil, diags
	}
	return file.New(f.Body, nil)
}

func locker(t *testing.T, dir string) lock.Locker {
	t.Helper()
	l, diags := newLocker(fmt.Sprintf("path = %q", dir))
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return l
}

func request(group string, slots int) lock.Request {
	return lock.Request{Group: group, Slots: slots, Holder: lock.Holder{Host: "web-01", PID: 17, Service: "shop", Hash: "abc"}}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run", "lock")
	suite := locktest.Suite{
		New: func(t *testing.T) lock.Locker { return locker(t, dir) },
		Unreachable: func(t *testing.T) lock.Locker {
			path := filepath.Join(t.TempDir(), "a file")
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			return locker(t, path)
		},
		Steal: func(t *testing.T, group string) {
			if err := os.Remove(filepath.Join(dir, group+".0")); err != nil {
				t.Fatal(err)
			}
		},
	}
	locktest.Run(t, suite)
	locktest.RunLine(t, suite)
}

// Who only looks makes nothing.
func TestLineReadsOnly(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "lock")
	if line, err := locker(t, dir).(lock.Line).Line(t.Context(), "web"); err != nil || line != nil {
		t.Errorf("got (%v, %v), want nobody", line, err)
	}
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory: got %v, want it not to be made", err)
	}
}

func TestKilledHolderFreesTheSlotAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.CommandContext(t.Context(), self)
	child.Env = append(os.Environ(), childDir+"="+dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "held\n" {
		t.Fatalf("child: got %q, %v, want held", line, err)
	}

	told := make(chan []lock.Holder, 10)
	req := request("web", 1)
	req.Waiting = func(ahead []lock.Holder) { told <- ahead }
	done := make(chan error, 1)
	go func() {
		lease, err := locker(t, dir).Acquire(t.Context(), req)
		if err == nil {
			err = lease.Release(t.Context())
		}
		done <- err
	}()
	if ahead := <-told; len(ahead) != 1 || ahead[0].PID != child.Process.Pid || ahead[0].Host != "child" {
		t.Errorf("got ahead %v, want the child", ahead)
	}
	select {
	case err := <-done:
		t.Fatalf("Acquire ended with %v while the child holds the slot", err)
	default:
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // killed
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("Acquire after the kill: %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("the slot of a killed process did not come free")
	}
}

func TestHolderIsReadableAndFilesStay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	lease, err := locker(t, dir).Acquire(t.Context(), request("web", 2))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "web.0")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got lock.Holder
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	if got.Host != "web-01" || got.PID != 17 || got.Service != "shop" || got.Hash != "abc" || got.Slots != 2 || !got.Holding || got.Since.IsZero() {
		t.Errorf("got %+v", got)
	}
	if err := lease.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatalf("after Release: %v, want the file to stay", err)
	}
	if info.Size() != 0 {
		t.Error("after Release the file still names its last holder")
	}
}

// What an operator or an older process left must neither block nor crash.
func TestLeftoversDoNotBlock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"web.0":     `{"host":"dead","slots":7}`, // of a process that was killed
		"web.1":     "no JSON at all",
		"web.x":     "x",
		"web.0.0":   `{"host":"other group","slots":7}`,
		"web.lock":  "",
		"web":       "",
		"unrelated": "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		lease, err := locker(t, dir).Acquire(t.Context(), request("web", 2))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = lease.Release(t.Context()) }()
	}
}

// A holder in a slot beyond our number is seen too.
func TestDisagreementWithAHigherSlot(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var leases []lock.Lease
	for range 2 {
		lease, err := locker(t, dir).Acquire(t.Context(), request("web", 2))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = lease.Release(t.Context()) }()
		leases = append(leases, lease)
	}
	if err := leases[0].Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := locker(t, dir).Acquire(t.Context(), request("web", 1))
	var slots *lock.SlotsError
	if !errors.As(err, &slots) || slots.Other.Slots != 2 {
		t.Errorf("got %v, want a *lock.SlotsError: slot 1 is held by one who believes in 2", err)
	}
}

func TestSymbolicLinkIsNotFollowed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, filepath.Join(dir, "web.0")); err != nil {
		t.Fatal(err)
	}
	_, err := locker(t, dir).Acquire(t.Context(), request("web", 1))
	var path *fs.PathError
	if !errors.As(err, &path) || !strings.Contains(err.Error(), "web.0") {
		t.Errorf("got %v, want an error that names the file", err)
	}
	if data, err := os.ReadFile(victim); string(data) != "precious" {
		t.Errorf("the link's target is now %q, %v", data, err)
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ block, summary string }{
		{`path = "/run/dropship/lock"`, ""},
		{`path = "run/lock"`, "Invalid lock path"},
		{`path = ""`, "Invalid lock path"},
		{``, "Missing required argument"},
		{"path = \"/run\"\nttl = \"1s\"", "Unsupported argument"},
	} {
		l, diags := newLocker(test.block)
		switch {
		case test.summary == "" && (diags.HasErrors() || l.String() != "file:///run/dropship/lock"):
			t.Errorf("%q: got %v, %v, want a locker", test.block, l, diags)
		case test.summary != "" && (len(diags) != 1 || diags[0].Summary != test.summary || diags[0].Subject == nil):
			t.Errorf("%q: got %v, want one diagnostic %q with its place", test.block, diags, test.summary)
		}
	}
	if _, diags := file.New(nil, nil); !diags.HasErrors() {
		t.Error("without a block: got no diagnostic, want one for the missing path")
	}
}
