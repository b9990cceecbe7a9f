package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/consul/api"

	"github.com/dropship/dropship/lock"
	"github.com/dropship/dropship/test/servers"
)

// maxRequests is what an update may ask of Consul on one machine of many: nine for its turn, two for what is
// quarantined, one for those who come into line behind it meanwhile, and one that is repeated on a busy machine.
const maxRequests = 13

// Twenty machines, a bad release: exactly one rolls back, and nineteen never touch it. Then a good one reaches all.
func TestBadReleaseCostsOneMachineOneRollback(t *testing.T) {
	t.Parallel()
	const machines = 20
	consul := newCounter(t, servers.Get(t).Consul.Address)
	f := newFleet(t, consul.address)
	f.publish("1")
	for range machines {
		f.join()
	}
	f.waitUpdated("1")
	f.wait("the end of its update", func(d *daemon) bool { return strings.Contains(d.log.String(), "msg=updated") })
	inodes := make([]uint64, machines)
	for i, d := range f.machines {
		inodes[i] = inode(t, d)
	}

	bad := f.publish("bad")
	waitFor(t, limit, "a rollback", func() bool { return f.rollbacks() > 0 })
	var first *daemon
	for _, d := range f.machines {
		if d.rollbacks() > 0 {
			first = d
		}
	}
	f.wait("a word on what failed on "+first.host, func(d *daemon) bool { return d == first || d.leftAlone(first.host) > 0 })
	if n := f.rollbacks(); n != 1 {
		t.Errorf("%d rollbacks, want 1", n)
	}
	for i, d := range f.machines {
		if got := inode(t, d); got != inodes[i] || strings.TrimSpace(d.read("web/VERSION")) != "1" {
			t.Errorf("%s: inode %d, want %d; version %s", d.host, got, inodes[i], d.read("web/VERSION"))
		}
		if touched := strings.Contains(d.read("ran"), bad); touched != (d == first) {
			t.Errorf("%s: its hooks ran for the bad release: %v\n%s", d.host, touched, d.read("ran"))
		}
		if left, _ := filepath.Glob(filepath.Join(d.dir, ".web.dropship", "*", "release.json")); len(left) != 1 {
			t.Errorf("%s: releases on disk: %q, want the one that is live", d.host, left)
		}
	}
	other := f.machines[0]
	if other == first {
		other = f.machines[1]
	}
	says := regexp.MustCompile("hash " + bad + " failed on " + first.host + ` at ` + aTime + `: after hook 2 failed with exit status 1: script`)
	for _, command := range []string{"plan", "apply"} {
		want := map[string]int{"plan": 0, "apply": 1}[command]
		if out, _, code := other.run(command); code != want || !says.MatchString(out) || strings.Contains(out, "secret output") {
			t.Errorf("%s: exit %d, want %d, and where, when and why\n%s", command, code, want, out)
		}
	}

	before, polls := consul.requests.Load(), consul.polls.Load()
	f.publish("2")
	f.waitUpdated("2")
	f.wait("the end of its update", func(d *daemon) bool { return strings.Count(d.log.String(), "msg=updated") == 2 })
	got := float64(consul.requests.Load()-before) / machines
	t.Logf("%.1f requests to Consul for each machine's update; %.1f checks of what was quarantined", got, float64(consul.polls.Load()-polls)/machines)
	if got > maxRequests {
		t.Errorf("%.1f requests to Consul for each machine's update, want at most %d", got, maxRequests)
	}
	if n := f.rollbacks(); n != 1 {
		t.Errorf("%d rollbacks in the end, want 1", n)
	}
}

// A retry has one machine try it again first; what Consul forgets the machines remember.
func TestRetryIsTriedByOneMachineFirst(t *testing.T) {
	t.Parallel()
	consul := servers.NewConsul(t)
	f := newFleet(t, consul.Address)
	f.publish("1")
	for range 3 {
		f.join()
	}
	f.waitUpdated("1")
	bad := f.publish("bad")
	entry := f.quarantined(consul.Address, bad, "")
	f.wait("a word on it", func(d *daemon) bool { return d.host == entry.Host || d.leftAlone(entry.Host) > 0 })

	retry := func() {
		t.Helper()
		d := f.machines[0]
		out, errOut, code := d.run("retry", f.service)
		if code != 0 || !strings.Contains(out, "may be tried again in group "+f.service+": hash "+bad) {
			t.Fatalf("retry: exit %d\n%s%s", code, out, errOut)
		}
	}
	retry()
	again := f.quarantined(consul.Address, bad, entry.UpdateID)
	// Which may be in the same second as the first, and then is no news in the log.
	f.wait("a word on the second time", func(d *daemon) bool {
		out, _, _ := d.run("status", f.service, "--json")
		return d.host == again.Host || strings.Contains(out, again.UpdateID)
	})
	if n := f.rollbacks(); n != 2 {
		t.Errorf("%d rollbacks after a retry, want 2", n)
	}

	consul.Kill()
	consul.Wipe()
	consul.Start()
	if got := f.quarantined(consul.Address, bad, ""); got.UpdateID != again.UpdateID || got.Host != again.Host {
		t.Errorf("after Consul lost its data: got %+v, want %+v", got, again)
	}
	late := f.join() // knows nothing but what the board says
	waitFor(t, limit, "a word of the machine that came late", func() bool {
		log := late.log.String()
		return strings.Contains(log, "nothing is at the destination") && strings.Contains(log, "failed on "+again.Host+" at ")
	})
	if got := late.read("web/VERSION") + late.read("ran"); got != "" {
		t.Errorf("the machine that came late installed it: %s", got)
	}

	if err := os.WriteFile(filepath.Join(f.dir, "mended"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	retry()
	f.waitUpdated("bad")
	if n := f.rollbacks(); n != 2 {
		t.Errorf("%d rollbacks in the end, want 2", n)
	}
}

// quarantined waits until the hash is quarantined for the group by another update than that one, and returns the entry.
func (f *fleet) quarantined(consul, hash, not string) (entry lock.Quarantine) {
	f.t.Helper()
	client, err := api.NewClient(&api.Config{Address: consul})
	if err != nil {
		f.t.Fatal(err)
	}
	key := fmt.Sprintf("e2e/.quarantine/%s/%[1]s/%s", f.service, hash)
	waitFor(f.t, limit, key, func() bool {
		pair, _, err := client.KV().Get(key, nil)
		entry = lock.Quarantine{}
		return err == nil && pair != nil && json.Unmarshal(pair.Value, &entry) == nil && entry.Lifted == nil && entry.UpdateID != not
	})
	if entry.Hash != hash || entry.Host == "" || strings.Contains(entry.Error, "secret output") {
		f.t.Errorf("got %+v", entry)
	}
	return entry
}
