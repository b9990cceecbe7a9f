package e2e

import (
	"fmt"
	"net"
	"regexp"
	"testing"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/test/servers"
)

// Consul dies while a machine waits in line: who is ahead is told as of when, and that nobody says who is now.
func TestWhyWaitingWhileConsulIsDown(t *testing.T) {
	t.Parallel()
	consul := servers.NewConsul(t)
	lock := fmt.Sprintf("lock \"consul\" {\n  address = %q\n  ttl     = \"60s\"\n}\n", consul.Address)
	artifacts, group := t.TempDir(), newGroup()
	publish(t, artifacts, version(t, "1"))
	holder, waiter := newMember(t, "web-01", lock, group, artifacts), newMember(t, "web-02", lock, group, artifacts)
	holder.write("hang", "")
	holder.start()
	holder.wantWhy("web", dropship.ReasonUpdating, ".+step before since .+", "wait for its end")
	waiter.start()
	ahead := "waiting for a slot of group " + group + ` for \S+: held by web-01 \(pid \d+, service web\), in line since ` + aTime
	waiter.wantWhy("web", dropship.ReasonWaiting, ahead, "wait for its turn, or see to what web-01 is doing")
	consul.Stop()
	waiter.wantWhy("web", dropship.ReasonWaiting, ahead+", as of "+aTime+"; who is ahead now is not known: .*"+regexp.QuoteMeta(consul.Address)+".*",
		"mend the lock service, or the way to it")
	status := waiter.must("status", "web", "--json")
	if !regexp.MustCompile(`"ahead_at": "20`).MatchString(status) || !regexp.MustCompile(`held by web-01 .+, as of `+aTime+`",`).MatchString(status) {
		t.Errorf("status does not say as of when that is:\n%s", status)
	}
	holder.remove("hang")
}

// A Consul that takes connections and answers nothing: whom the update asks what, and since when.
func TestWhyUpdatingWhileConsulHangs(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	artifacts := t.TempDir()
	publish(t, artifacts, version(t, "1"))
	d := newDaemon(t, map[string]string{"dropship.hcl": web(artifacts, "  sequentialUpdates = true\n") + fmt.Sprintf("consul { address = %q }\n", silent.Addr())})
	d.start()
	asking := "asking consul://" + regexp.QuoteMeta(silent.Addr().String()) + "/dropship/slots "
	d.wantWhy("web", dropship.ReasonNotChecked, "not checked yet, since the agent started: "+asking+"what is quarantined for group web, after a check at "+aTime,
		"wait for the check, or dropship check web")
	d.wantWhy("web", dropship.ReasonUpdating, `update \S+ is under way since `+aTime+": "+asking+"for a slot of group web, since "+aTime, "wait for its end")
	d.wantWhy("web", dropship.ReasonLock, "no slot since "+aTime+": .+ \\((trying again: "+asking+".+|tried again .+)\\)", "mend the lock service, or the way to it")
}
