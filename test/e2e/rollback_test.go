package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
)

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// The application answers with the old version again, the bad hash is left alone, and a new one is welcome.
func TestBrokenVersionIsRolledBack(t *testing.T) {
	t.Parallel()
	b := newBucket(t)
	address := freeAddress(t)
	binary, err := os.ReadFile(app)
	if err != nil {
		t.Fatal(err)
	}
	put := func(v, broken string) string {
		files := map[string]string{"VERSION": v, "app": string(binary)}
		if broken != "" {
			files["BROKEN"] = broken
		}
		return b.put("web.tar.gz", release(t, files))
	}
	put("1", "")
	d := newDaemon(t, map[string]string{"dropship.hcl": "stateDir = \"state\"\n" + b.repo(b.server.Endpoint) + fmt.Sprintf(`service "web" {
  checkInterval = "200ms"
  before "script" { command = "[ ! -e ../pid ] || kill $(cat ../pid)" }
  artifact "s3" {
    bucket      = %q
    path        = "web.tar.gz"
    destination = "web"
  }
  after "script" { command = "setsid ./app %s >>../app.log 2>&1 & echo $! >../pid" }
  after "http-check" {
    url      = "http://%s/"
    interval = "100ms"
    deadline = "3s"
  }
}
`, b.name, address, address)})
	t.Cleanup(func() { killPid(t, d) })
	get := func() string {
		resp, err := http.Get("http://" + address + "/")
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return strings.TrimSpace(string(body))
	}
	d.start()
	d.waitLog("msg=updated", 1)
	put("2", "")
	d.waitLog("msg=updated", 2)
	if got := get(); got != "version 2" {
		t.Fatalf("got %q, want version 2", got)
	}

	bad := put("3", "cannot reach the database")
	d.waitLog("update rolled back", 1)
	if got := get(); got != "version 2" {
		t.Errorf("after the rollback: got %q, want version 2", got)
	}
	if log := d.log.String(); !strings.Contains(log, "cannot reach the database") || !strings.Contains(log, "503") {
		t.Errorf("the last answer of the check is not in the log:\n%s", log)
	}
	d.waitLog("waiting for another one", 1)
	d.waitLog("the repository holds a hash that failed here\"", 5)
	if got := strings.Count(d.log.String(), "msg=staging"); got != 3 {
		t.Errorf("%s was fetched again: %d downloads, want 3", bad, got)
	}
	if out, _, code := d.run("plan"); code != 0 || !strings.Contains(out, "quarantined") || !strings.Contains(out, "cannot reach the database") {
		t.Errorf("plan: exit %d\n%s", code, out)
	}

	put("4", "")
	d.waitLog("msg=updated", 3)
	if got := get(); got != "version 4" {
		t.Errorf("got %q, want version 4", got)
	}
}
