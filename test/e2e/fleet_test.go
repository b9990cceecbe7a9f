package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// onHost makes the command see another name of the machine.
func onHost(cmd *exec.Cmd, host string) {
	if host == "" {
		return
	}
	cmd.Args = append([]string{"sh", "-c", `echo "$0" >/proc/sys/kernel/hostname && exec "$@"`, host, cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUTS}
}

// A fleet is machines of one group, each a process with a name and a directory of its own. The application works
// with every version that does not begin with "bad", and with those, too, once the file "mended" is there.
type fleet struct {
	t        *testing.T
	bucket   *bucket
	consul   string // address
	service  string
	dir      string
	machines []*daemon
}

func newFleet(t *testing.T, consul string) *fleet {
	t.Helper()
	return &fleet{t: t, bucket: newBucket(t), consul: consul, dir: t.TempDir(), service: fmt.Sprintf("fleet-%d", time.Now().UnixNano())}
}

// publish makes a version what the machines shall have, and returns its hash.
func (f *fleet) publish(v string) string {
	f.t.Helper()
	return f.bucket.put("web.tar.gz", version(f.t, v))
}

// join starts one more machine.
func (f *fleet) join() *daemon {
	f.t.Helper()
	d := newDaemon(f.t, nil)
	d.host = fmt.Sprintf("web-%02d", len(f.machines)+1)
	d.write("dropship.hcl", "stateDir = \"state\"\nsocket = \"dropship.sock\"\n"+f.bucket.repo(f.bucket.server.Endpoint)+
		fmt.Sprintf("lock \"consul\" {\n  address = %q\n  ttl = \"15s\"\n  prefix = \"e2e\"\n}\n", f.consul)+
		fmt.Sprintf(`service %q {
  sequentialUpdates = true
  checkInterval     = "1s"
  before "script" { command = "echo before $DROPSHIP_STATUS $DROPSHIP_HASH >>%[3]s/ran" }
  artifact "s3" {
    bucket      = %[2]q
    path        = "web.tar.gz"
    destination = "web"
  }
  after "script" { command = "echo after $DROPSHIP_STATUS $DROPSHIP_HASH >>%[3]s/ran" }
  after "script" { command = "printf 'secr%%%%s output' et; [ -e %[4]s/mended ] || ! grep -q ^bad VERSION" }
}
`, f.service, f.bucket.name, d.dir, f.dir))
	f.machines = append(f.machines, d)
	d.start()
	return d
}

// wait waits until that is true of every machine.
func (f *fleet) wait(what string, ok func(d *daemon) bool) {
	f.t.Helper()
	for _, d := range f.machines {
		waitFor(f.t, limit, d.host+": "+what, func() bool { return ok(d) })
	}
}

// waitUpdated waits until every machine has that version.
func (f *fleet) waitUpdated(v string) {
	f.t.Helper()
	f.wait("version "+v, func(d *daemon) bool { return strings.TrimSpace(d.read("web/VERSION")) == v })
}

// rollbacks returns how often the machines rolled back, in all.
func (f *fleet) rollbacks() (n int) {
	for _, d := range f.machines {
		n += d.rollbacks()
	}
	return n
}

func (d *daemon) rollbacks() int { return strings.Count(d.log.String(), `msg="update rolled back"`) }

// leftAlone returns how often a machine said that it leaves alone what failed on that host.
func (d *daemon) leftAlone(host string) int {
	n := 0
	for line := range strings.Lines(d.log.String()) {
		if strings.Contains(line, "failed on another machine: waiting for another one") && strings.Contains(line, "host="+host+"\n") {
			n++
		}
	}
	return n
}

// A counter stands before Consul and counts its requests, but for renewals, which depend on time.
type counter struct {
	address  string
	requests atomic.Int64 // what an update asks
	polls    atomic.Int64 // checks of what is quarantined
}

func newCounter(t *testing.T, consul string) *counter {
	c := &counter{}
	behind := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: consul})
	behind.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.Contains(r.URL.Path, "/session/renew/"):
		case r.URL.Query().Has("stale"):
			c.polls.Add(1)
		default:
			c.requests.Add(1)
		}
		behind.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	c.address = server.Listener.Addr().String()
	return c
}

func inode(t *testing.T, d *daemon) uint64 {
	t.Helper()
	var st syscall.Stat_t
	if err := syscall.Stat(filepath.Join(d.dir, "web"), &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}
