package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dropship/dropship/test/servers"
)

// mission is the configuration that users of the 2015 tool have, as it stands but for the name of the
// service and its bucket (each run has its own) and the address of Graphite.
const mission = `# vim: set ft=hcl :
service "NAME" {
  # Use a semaphore to update one machine at a time
  sequentialUpdates = true

  # Check for updates every 10s
  checkInterval = "10s"

  # Run this command before update starts
  before "script" {
    command = "initctl my-service stop"
  }

  # Artifact defines what repository to use (rackspace) and where
  # your artifact live on that repository
  artifact "s3" {
    bucket = "BUCKET"
    path = "my-service.tar.gz"
    destination = "./test/dest"
  }

  # After successful update send an event to graphite
  # this allows you to show deploy annotations in tools like grafana
  # The graphite hook will automatically add this services name into the
  # graphite tags. You also have access to all of the services meta data
  # like Name, "current hash", hostname.
  after "graphite-event" {
    host = "GRAPHITE"
    tags = "deployment"
    what = "deployed to {{.Name}} on {{.Hostname}}"
    data = "{{.Hash}}"
  }

  # Run this command after the update finishes
  after "script" {
    command = "initctl my-service start"
  }
}
`

// An event as /events/get_data returns it.
type event struct {
	What string   `json:"what"`
	Tags []string `json:"tags"`
	Data string   `json:"data"`
}

func events(t *testing.T, graphite, tag string) []event {
	t.Helper()
	resp, err := http.Get(graphite + "/events/get_data?tags=" + url.QueryEscape(tag))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var all []event
	if err := json.NewDecoder(resp.Body).Decode(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestMissionConfigurationWorksAsItStands(t *testing.T) {
	t.Parallel()
	set := servers.Get(t)
	b := newBucket(t)
	name := fmt.Sprintf("my-service-%d", time.Now().UnixNano())
	d := newDaemon(t, map[string]string{
		"dropship.hcl": `service_path = "services"
stateDir = "state"
` + b.repo(b.server.Endpoint) + fmt.Sprintf("lock \"consul\" {\n  address = %q\n  ttl = \"10s\"\n  prefix = \"e2e/%s\"\n}\n", set.Consul.Address, name),
		"services/my-service.hcl": strings.NewReplacer("NAME", name, "BUCKET", b.name, "GRAPHITE", set.Graphite.URL,
			`checkInterval = "10s"`, `checkInterval = "1s"`).Replace(mission),
		// Upstart is gone; its command is not what is tested here.
		"bin/initctl": "#!/bin/sh\necho \"$2 $DROPSHIP_HASH\" >>" + filepath.Join(t.TempDir(), "initctl") + "\n",
	})
	if err := os.Chmod(filepath.Join(d.dir, "bin/initctl"), 0o700); err != nil {
		t.Fatal(err)
	}
	d.env = []string{"PATH=" + filepath.Join(d.dir, "bin") + ":" + os.Getenv("PATH")}

	var hashes []string
	for i, v := range []string{"1", "2", "3"} {
		hashes = append(hashes, b.put("my-service.tar.gz", version(t, v)))
		if i == 0 {
			d.start()
		}
		d.waitFile("test/dest/VERSION", v)
		d.waitLog("msg=updated", i+1)
	}
	if code := d.stop(os.Interrupt); code != 0 {
		t.Errorf("exit code: got %d, want 0", code)
	}

	host, _ := os.Hostname()
	var got []string
	for _, e := range events(t, set.Graphite.URL, name) {
		got = append(got, e.Data)
		slices.Sort(e.Tags)
		want := []string{"deployment", name}
		slices.Sort(want)
		if !slices.Equal(e.Tags, want) {
			t.Errorf("tags: got %q, want %q", e.Tags, want)
		}
		if want := "deployed to " + name + " on " + host; e.What != want {
			t.Errorf("what: got %q, want %q", e.What, want)
		}
	}
	slices.Sort(got)
	slices.Sort(hashes)
	if !slices.Equal(got, hashes) {
		t.Errorf("events: got the hashes %q, want each of %q once", got, hashes)
	}
}
