package servers

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// clusterServers is the number of servers of a [Cluster]: the smallest one of which one may die.
const clusterServers = 3

// Client is the number of a cluster's client agent.
const Client = clusterServers

// A Cluster is three Consul servers of one test, 0, 1 and 2, and a client agent, [Client], which runs only once it is
// started. Each has a network namespace of its own with two links: one to a network that the cluster has for itself,
// the other to the machine, where the HTTP API listens. So an agent that is isolated still answers those who use it.
// The methods are called from the test's goroutine, and fail the test when they cannot do what they say.
type Cluster struct {
	Addresses [clusterServers + 1]string // host:port of each agent's HTTP API, the same after each start

	t       testing.TB
	program string
	dir     string
	name    string // begins the names of namespaces and links
	nodes   [clusterServers + 1]clusterNode
}

// A clusterNode is one agent. Its exported fields fill templates/cluster.hcl.
type clusterNode struct {
	Name    string
	Server  bool
	Inner   string   // address in the cluster's own network
	Outer   string   // address on the link to the machine
	Servers []string // the inner addresses of all servers
	Data    string

	cmd    *exec.Cmd
	exited chan struct{}
}

// NewCluster starts three servers and returns once they have a leader and each of them can write through it. It needs
// root. Processes, namespaces and links end with the test. Where no set is up, it skips or fails the test as [Get] does.
func NewCluster(t testing.TB) *Cluster {
	t.Helper()
	c := &Cluster{t: t, program: get(t).Tools.Consul, dir: t.TempDir(), name: clusterName()}
	removeStale()
	net, err := reserveNetwork()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { net.lock.Close() })
	t.Cleanup(func() {
		for i := range c.nodes {
			c.end(i, syscall.SIGKILL)
			if t.Failed() {
				t.Logf("consul %d at %s\n%s", i, c.Addresses[i], logTail(c.log(i)))
			}
		}
	})
	c.connect(net)
	for i := range clusterServers {
		c.launch(i)
	}
	for i := range clusterServers {
		c.await(i)
	}
	return c
}

// connect makes the namespaces and the links: a hub with a bridge in it, to which all agents are connected.
func (c *Cluster) connect(net network) {
	c.t.Helper()
	hub := c.name + "hub"
	c.addNamespace(hub)
	c.ip("-n", hub, "link", "add", "bridge", "type", "bridge", "forward_delay", "0")
	c.ip("-n", hub, "link", "set", "bridge", "up")
	var inner []string
	for i := range clusterServers {
		inner = append(inner, fmt.Sprint("10.0.0.", i+1))
	}
	for i := range c.nodes {
		ns, port := c.namespace(i), c.port(i)
		n := &c.nodes[i]
		*n = clusterNode{
			Name: fmt.Sprint("node-", i), Server: i < clusterServers, Inner: fmt.Sprint("10.0.0.", i+1),
			Outer: net.address(4*i + 2), Servers: inner, Data: filepath.Join(c.dir, fmt.Sprint("data-", i)),
		}
		c.Addresses[i] = n.Outer + ":8500"
		c.addNamespace(ns)
		c.ip("-n", ns, "link", "set", "lo", "up")
		c.ip("-n", hub, "link", "add", port, "type", "veth", "peer", "name", "inner", "netns", ns)
		c.ip("-n", hub, "link", "set", port, "master", "bridge", "up")
		c.ip("-n", ns, "address", "add", n.Inner+"/24", "dev", "inner")
		c.ip("-n", ns, "link", "set", "inner", "up")
		c.ip("link", "add", port, "type", "veth", "peer", "name", "outer", "netns", ns)
		// Connections that nobody has closed may keep a namespace for minutes after its end.
		c.t.Cleanup(func() { _ = exec.Command("ip", "link", "delete", port).Run() }) //nolint:noctx // the test's context has ended
		c.ip("address", "add", net.address(4*i+1)+"/30", "dev", port)
		c.ip("link", "set", port, "up")
		c.ip("-n", ns, "address", "add", n.Outer+"/30", "dev", "outer")
		c.ip("-n", ns, "link", "set", "outer", "up")
		if err := render("cluster.hcl", c.config(i), n); err != nil {
			c.t.Fatal(err)
		}
	}
}

func (c *Cluster) namespace(i int) string { return fmt.Sprint(c.name, "n", i) }
func (c *Cluster) port(i int) string      { return fmt.Sprint(c.name, "p", i) }
func (c *Cluster) config(i int) string    { return filepath.Join(c.dir, fmt.Sprint("consul-", i, ".hcl")) }

func (c *Cluster) log(i int) string { return filepath.Join(c.dir, fmt.Sprint("consul-", i, ".log")) }

// addNamespace makes a namespace, which ends with the test.
func (c *Cluster) addNamespace(name string) {
	c.t.Helper()
	c.t.Cleanup(func() {
		if out, err := exec.Command("ip", "netns", "delete", name).CombinedOutput(); err != nil { //nolint:noctx // the test's context has ended
			c.t.Errorf("cannot delete network namespace %s: %v: %s", name, err, out)
		}
	})
	c.ip("netns", "add", name)
}

func (c *Cluster) ip(args ...string) {
	c.t.Helper()
	if out, err := exec.CommandContext(c.t.Context(), "ip", args...).CombinedOutput(); err != nil {
		c.t.Fatalf("cannot run ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

// Start starts agent i, again or for the first time, and returns once it can write. One that runs stays as it is.
func (c *Cluster) Start(i int) {
	c.t.Helper()
	c.launch(i)
	c.await(i)
}

func (c *Cluster) launch(i int) {
	c.t.Helper()
	if c.nodes[i].cmd != nil {
		return
	}
	cmd, err := command(c.log(i), nil, "ip", "netns", "exec", c.namespace(i), c.program, "agent", "-config-file="+c.config(i))
	if err == nil {
		c.nodes[i].exited, err = startWithTest(cmd)
	}
	if err != nil {
		c.t.Fatalf("cannot start consul %d: %v", i, err)
	}
	c.nodes[i].cmd = cmd
}

func (c *Cluster) await(i int) {
	c.t.Helper()
	ctx, cancel := context.WithTimeoutCause(c.t.Context(), consulStartLimit, fmt.Errorf("not ready after %s", consulStartLimit))
	defer cancel()
	p := &process{Name: fmt.Sprint("consul ", i), Log: c.log(i), exited: c.nodes[i].exited}
	err := p.await(ctx, func(ctx context.Context) error { return sessionProbe(ctx, "http://"+c.Addresses[i], nil) })
	if err != nil {
		c.t.Fatal(err)
	}
}

// Stop ends agent i in an orderly way (SIGTERM): a client agent leaves the cluster, a server does not.
func (c *Cluster) Stop(i int) {
	c.t.Helper()
	c.end(i, syscall.SIGTERM)
}

// Kill ends agent i as a crash would (SIGKILL).
func (c *Cluster) Kill(i int) {
	c.t.Helper()
	c.end(i, syscall.SIGKILL)
}

func (c *Cluster) end(i int, signal syscall.Signal) {
	c.t.Helper()
	n := &c.nodes[i]
	if n.cmd == nil {
		return
	}
	cmd := n.cmd
	n.cmd = nil
	_ = cmd.Process.Signal(signal) // an error means that it has ended already
	select {
	case <-n.exited:
	case <-time.After(stopGrace):
		_ = cmd.Process.Kill()
		<-n.exited
		c.t.Errorf("consul %d did not end within %s of %v\n%s", i, stopGrace, signal, logTail(c.log(i)))
	}
}

// Isolate cuts agent i off from all others, and Heal connects it again. Who uses it still reaches it.
func (c *Cluster) Isolate(i int) {
	c.t.Helper()
	c.ip("-n", c.name+"hub", "link", "set", c.port(i), "down")
}

// Heal is the opposite of Isolate.
func (c *Cluster) Heal(i int) {
	c.t.Helper()
	c.ip("-n", c.name+"hub", "link", "set", c.port(i), "up")
}

// Leader waits until a server that is in touch with a majority leads, and returns its number.
func (c *Cluster) Leader() int {
	c.t.Helper()
	deadline := time.After(consulStartLimit)
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		for i := range clusterServers {
			if c.nodes[i].cmd != nil && c.leads(i) {
				return i
			}
		}
		select {
		case <-tick.C:
		case <-deadline:
			c.t.Fatalf("the cluster has no leader for %s", consulStartLimit)
		}
	}
}

// leads reports whether server i leads. One that was cut off may believe so for a moment, but cannot make sure.
func (c *Cluster) leads(i int) bool {
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Second)
	defer cancel()
	base := "http://" + c.Addresses[i]
	var leader string
	if probeJSON(ctx, http.MethodGet, base+"/v1/status/leader", nil, &leader) != nil || leader != c.nodes[i].Inner+":8300" {
		return false
	}
	var any json.RawMessage
	return probeJSON(ctx, http.MethodGet, base+"/v1/session/list?consistent", nil, &any) == nil
}

// A network is 64 addresses for the links between the machine and the agents of one cluster, out of those that
// RFC 2544 sets aside for tests.
type network struct {
	number int
	lock   *os.File // keeps other test processes from choosing it too
}

func reserveNetwork() (network, error) {
	dir := filepath.Join(os.TempDir(), fmt.Sprintf("dropship-test-networks-%d", os.Getuid()))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return network{}, fmt.Errorf("cannot reserve a network: %w", err)
	}
	for range 1000 {
		number := rand.IntN(1 << 10)
		lock, err := os.OpenFile(filepath.Join(dir, fmt.Sprint(number)), os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return network{}, fmt.Errorf("cannot reserve a network: %w", err)
		}
		if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			return network{number, lock}, nil
		}
		lock.Close()
	}
	return network{}, fmt.Errorf("cannot reserve a network: none is free of those in %s", dir)
}

func (n network) address(i int) string {
	i += n.number * 64
	return fmt.Sprintf("198.18.%d.%d", i/256, i%256)
}
