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

	"github.com/hashicorp/consul/api"

	"github.com/dropship/dropship/lock"
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
	prefix := "e2e/" + name
	d := newDaemon(t, map[string]string{
		"dropship.hcl": `service_path = "services"
stateDir = "state"
socket = "dropship.sock"
` + b.repo(b.server.Endpoint) + fmt.Sprintf("lock \"consul\" {\n  address = %q\n  ttl = \"10s\"\n  prefix = %q\n}\n", set.Consul.Address, prefix),
		"services/my-service.hcl": strings.NewReplacer("NAME", name, "BUCKET", b.name, "GRAPHITE", set.Graphite.URL,
			`checkInterval = "10s"`, `checkInterval = "1s"`).Replace(mission),
	})
	// Upstart is gone. What stands in for its command writes down what it is told, and waits to be let go.
	d.write("bin/initctl", fmt.Sprintf(`#!/bin/sh
echo "$* $DROPSHIP_HASH" >>%[1]s/told
n=0; while [ ! -e "%[1]s/go-$2-$DROPSHIP_HASH" ] && [ $n -lt 600 ]; do n=$((n+1)); sleep 0.05; done
`, d.dir))
	if err := os.Chmod(filepath.Join(d.dir, "bin/initctl"), 0o700); err != nil {
		t.Fatal(err)
	}
	d.env = []string{"PATH=" + filepath.Join(d.dir, "bin") + ":" + os.Getenv("PATH")}

	var hashes []string
	told := ""
	for i, v := range []string{"1", "2", "3"} {
		hash := b.put("my-service.tar.gz", version(t, v))
		hashes = append(hashes, hash)
		if i == 0 {
			d.start()
		}
		for _, what := range []string{"stop", "start"} {
			told += fmt.Sprintf("my-service %s %s\n", what, hash)
			d.waitFile("told", strings.TrimSpace(told))
			wantHolder(t, set.Consul.Address, prefix, name, hash) // while the hook runs
			d.write("go-"+what+"-"+hash, "")
		}
		d.waitFile("test/dest/VERSION", v)
		d.waitLog("msg=updated", i+1)
	}
	if code := d.stop(os.Interrupt); code != 0 {
		t.Errorf("exit code: got %d, want 0", code)
	}
	if got := d.read("told"); got != told {
		t.Errorf("initctl was told\n%swant\n%s", got, told)
	}
	if left := slots(t, set.Consul.Address, prefix); len(left) != 0 {
		t.Errorf("slots are left behind: %v", left)
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

// slots returns the keys below the prefix in Consul.
func slots(t *testing.T, address, prefix string) api.KVPairs {
	t.Helper()
	client, err := api.NewClient(&api.Config{Address: address})
	if err != nil {
		t.Fatal(err)
	}
	pairs, _, err := client.KV().List(prefix, nil)
	if err != nil {
		t.Fatal(err)
	}
	return pairs
}

// wantHolder fails unless one machine holds a slot in Consul, and nobody else is in line: its key says for which service
// and hash, and its session has the key of the slot, too.
func wantHolder(t *testing.T, address, prefix, service, hash string) {
	t.Helper()
	pairs := slots(t, address, prefix)
	slot := prefix + "/" + service + "/.slot-0" // sorts before what begins with a letter or a digit
	if len(pairs) != 2 || pairs[0].Key != slot {
		t.Errorf("keys below %s while a hook runs: got %v, want %s and its holder's", prefix, keys(pairs), slot)
		return
	}
	var holder lock.Holder
	if err := json.Unmarshal(pairs[1].Value, &holder); err != nil {
		t.Error(err)
	}
	session := pairs[1].Session
	if session == "" || pairs[0].Session != session || !holder.Holding || holder.Service != service || holder.Hash != hash {
		t.Errorf("the slot is of session %q; its holder, of session %q: %+v; want one that holds it for %s of %s",
			pairs[0].Session, session, holder, hash, service)
	}
}

func keys(pairs api.KVPairs) []string {
	var all []string
	for _, p := range pairs {
		all = append(all, p.Key)
	}
	return all
}
