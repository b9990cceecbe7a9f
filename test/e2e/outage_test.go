package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dropship/dropship/test/servers"
)

func TestConsulDownMeansNoUpdateUntilItIsBack(t *testing.T) {
	t.Parallel()
	b := newBucket(t)
	consul := servers.NewConsul(t)
	b.put("web.tar.gz", version(t, "1"))
	d := newDaemon(t, map[string]string{"dropship.hcl": "stateDir = \"state\"\nsocket = \"dropship.sock\"\n" + b.repo(b.server.Endpoint) +
		fmt.Sprintf("consul { address = %q }\n", consul.Address) + fmt.Sprintf(`service "web" {
  sequentialUpdates = true
  checkInterval     = "250ms"
  artifact "s3" {
    bucket      = %q
    path        = "web.tar.gz"
    destination = "web"
  }
}
`, b.name)})
	d.start()
	d.waitFile("web/VERSION", "1")
	d.waitLog("msg=updated", 1)

	consul.Stop()
	b.put("web.tar.gz", version(t, "2"))
	d.waitLog("step=slot", 1)
	down := time.Now()
	// Long enough for several attempts: 0.25, 0.5, 1, 2 and 4 seconds after one another. That the next line comes
	// a minute later is shown with a clock that need not be waited for, in dropship/agent_test.go.
	waitFor(t, 30*time.Second, "ten seconds of outage", func() bool { return time.Since(down) > 10*time.Second })
	if got := d.read("web/VERSION"); got != "1" {
		t.Errorf("updated to %q without a slot", got)
	}
	if got := strings.Count(d.log.String(), "level=ERROR"); got != 1 {
		t.Errorf("got %d error lines in ten seconds, want 1 a minute", got)
	}

	consul.Start()
	d.waitFile("web/VERSION", "2")
	d.waitLog("trouble is over", 1)
	if code := d.stop(interrupt); code != 0 {
		t.Errorf("exit code: got %d, want 0", code)
	}
}
