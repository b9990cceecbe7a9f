package servers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/dropship/dropship/test/servers"
)

// stateFile is the part of servers.json that says what was started.
type stateFile struct {
	Tools     servers.Tools `json:"tools"`
	Processes []struct {
		Name string `json:"name"`
		PID  int    `json:"pid"`
	} `json:"processes"`
}

func readStateFile(t *testing.T, dir string) stateFile {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "servers.json"))
	if err != nil {
		t.Fatal(err)
	}
	var state stateFile
	if err := json.Unmarshal(data, &state); err != nil {
		t.Fatal(err)
	}
	return state
}

// sharedTools finds the programs that the shared set runs.
func sharedTools(t *testing.T) servers.Tools {
	t.Helper()
	servers.Get(t)
	path := os.Getenv(servers.StateEnv)
	if path == "" {
		path = filepath.Join("..", "..", ".cache", "servers", "servers.json")
	}
	return readStateFile(t, filepath.Dir(path)).Tools
}

func TestUpAndDown(t *testing.T) {
	t.Parallel()
	tools, dir := sharedTools(t), t.TempDir()
	t.Cleanup(func() {
		if err := servers.Down(context.WithoutCancel(t.Context()), dir); err != nil {
			t.Error(err)
		}
	})
	first, started, err := servers.Up(t.Context(), dir, tools)
	if err != nil || !started {
		t.Fatalf("up: got started %v, %v, want true", started, err)
	}
	second, started, err := servers.Up(t.Context(), dir, tools)
	if err != nil || started || second != first {
		t.Errorf("up again: got started %v, %v, set %v, want the first set, %v", started, err, second, first)
	}
	if shared := servers.Get(t); shared.Consul.Address == first.Consul.Address {
		t.Errorf("two sets share %s", first.Consul.Address)
	}

	state := readStateFile(t, dir)
	if err := syscall.Kill(state.Processes[0].PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		got, want := "", state.Processes[0].Name
		if _, err := servers.Status(dir); err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) {
			return fmt.Errorf("status after a kill of %s: got error %q, want its name in it", want, got)
		}
		return nil
	})

	if err := servers.Down(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if left := processesOf(t, dir); len(left) > 0 {
		t.Errorf("after down there still run: %q", left)
	}
	if conn, err := net.Dial("tcp", first.Graphite.Carbon); err == nil {
		conn.Close()
		t.Error("after down carbon still answers")
	}
}

func TestUpLeavesNothingAfterAFailure(t *testing.T) {
	t.Parallel()
	tools, dir := sharedTools(t), t.TempDir()
	tools.Consul = filepath.Join(dir, "broken")
	if err := os.WriteFile(tools.Consul, []byte("#!/bin/sh\necho no such luck >&2\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, _, err := servers.Up(t.Context(), dir, tools)
	if err == nil {
		t.Fatal("up with a consul that ends at once: got no error")
	}
	for _, want := range []string{"consul", "ended while it was starting", "no such luck"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, want %q in it", err, want)
		}
	}
	if left := processesOf(t, dir); len(left) > 0 {
		t.Errorf("after the failure there still run: %q", left)
	}
	if _, err := servers.Status(dir); err == nil {
		t.Error("status after the failure: got no error")
	}
}

// A process that got the number of one that ended must not be ended in its place.
func TestDownSparesARecycledPID(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bystander, err := os.StartProcess("/bin/sleep", []string{"sleep", "60"}, &os.ProcAttr{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = bystander.Kill()
		_, _ = bystander.Wait()
	})
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(map[string]any{"processes": []any{map[string]any{
		"name": "consul", "pid": bystander.Pid, "start_time": "1", "boot": string(bytes.TrimSpace(boot)),
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "servers.json"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := servers.Down(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	// Down waits for what it ends, so a bystander that it ended would be a zombie by now.
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", bystander.Pid))
	if err != nil || strings.Contains(string(status), "State:\tZ") {
		t.Errorf("the bystander was ended: got %v, status %s", err, status)
	}
}

// processesOf lists the command lines of the processes that have dir in theirs.
func processesOf(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err == nil && bytes.Contains(line, []byte(dir)) {
			found = append(found, string(bytes.ReplaceAll(line, []byte{0}, []byte{' '})))
		}
	}
	return found
}
