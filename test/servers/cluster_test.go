package servers_test

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/dropship/dropship/test/servers"
)

// The cluster goes on without its leader, whether that was killed or cut off, and does not without two of three.
func TestCluster(t *testing.T) {
	t.Parallel()
	servers.Get(t) // or no test at all
	left, live := leaveNamespaces(t)
	c := servers.NewCluster(t)
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("%s, of a process that is gone, is still there: %v", left, err)
	}
	if _, err := os.Stat(live); err != nil {
		t.Errorf("the namespace of a process that lives: %v", err)
	}
	put := func(i int, value string) error {
		_, err := consulClient(t, c.Addresses[i], "").KV().Put(&api.KVPair{Key: "key", Value: []byte(value)}, nil)
		return err
	}
	first := c.Leader()
	c.Kill(first)
	second := c.Leader()
	if second == first {
		t.Fatalf("server %d still leads although it was killed", first)
	}
	if err := put(second, "one died"); err != nil {
		t.Fatal(err)
	}
	c.Start(first)
	c.Isolate(second)
	third := c.Leader()
	if third == second {
		t.Fatalf("server %d still leads although it is cut off", second)
	}
	if err := put(third, "one is cut off"); err != nil {
		t.Fatal(err)
	}
	client := consulClient(t, c.Addresses[second], "")
	for start := time.Now(); ; {
		// It answers who uses it, but cannot say anything that is sure.
		if got, _, err := client.KV().Get("key", &api.QueryOptions{RequireConsistent: true}); err != nil {
			break
		} else if time.Since(start) > time.Minute {
			t.Fatalf("the server that is cut off reads %v consistently", got)
		}
	}
	c.Heal(second)
	c.Start(servers.Client)
	got, _, err := consulClient(t, c.Addresses[servers.Client], "").KV().Get("key", nil)
	if err != nil || string(got.Value) != "one is cut off" {
		t.Errorf("got %v, %v from the client agent, want what was written last", got, err)
	}
}

// leaveNamespaces makes two network namespaces that are named as those of clusters, one of a process that has ended, the
// other of this one.
func leaveNamespaces(t *testing.T) (left, live string) {
	t.Helper()
	gone := exec.CommandContext(t.Context(), "true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, pid := range []int{gone.Process.Pid, os.Getpid()} {
		name := fmt.Sprintf("ds%06xfffhub", pid)
		if out, err := exec.CommandContext(t.Context(), "ip", "netns", "add", name).CombinedOutput(); err != nil {
			t.Fatalf("cannot make a network namespace: %v: %s", err, out)
		}
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "delete", name).Run() }) //nolint:noctx // the test's context has ended
		paths = append(paths, "/run/netns/"+name)
	}
	return paths[0], paths[1]
}
