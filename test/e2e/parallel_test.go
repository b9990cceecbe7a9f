package e2e

import (
	"fmt"
	"testing"
)

// The services of one agent are updated side by side: the hook of each waits until the hook of the other runs.
// One after the other, the first would give up, and its update would fail.
func TestServicesAreUpdatedSideBySide(t *testing.T) {
	t.Parallel()
	artifacts := t.TempDir()
	publish(t, artifacts, version(t, "1"))
	d := newDaemon(t, nil)
	service := func(name, other string) string {
		return fmt.Sprintf(`service %[1]q {
  checkInterval = "1h"
  artifact "file" {
    path        = "web.tar.gz"
    destination = %[1]q
  }
  after "script" {
    command = "touch %[3]s/in-%[1]s; while [ ! -e %[3]s/in-%[2]s ]; do sleep 0.05; done"
    timeout = "60s"
  }
}
`, name, other, d.dir)
	}
	d.write("dropship.hcl", fmt.Sprintf("stateDir = \"state\"\nsocket = \"dropship.sock\"\nrepo \"file\" { root = %q }\n", artifacts)+
		service("one", "two")+service("two", "one"))
	d.start()
	d.waitLog("msg=updated", 2)
}
