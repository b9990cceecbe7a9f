package consul_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/consul/api"

	"github.com/dropship/dropship/hooks/consul"
	"github.com/dropship/dropship/hooks/hookstest"
	"github.com/dropship/dropship/test/servers"
)

// The tool of old built the consul-event hook without what its block said: events had no name, no
// filter and no payload.
func TestFault09EventHasTheConfigurationOfItsBlock(t *testing.T) {
	t.Parallel()
	server := servers.Get(t).Consul
	name := "fault-09-" + hookstest.Unique()
	agent := client(t, server.Address, server.Token).Agent()
	if err := agent.ServiceRegister(&api.AgentServiceRegistration{Name: name, Tags: []string{"live"}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := agent.ServiceDeregister(name); err != nil {
			t.Error(err)
		}
	})
	fire := func(source string, n int) {
		t.Helper()
		h := hookstest.New(t, consul.EventKind(connect(server.Address, server.Token)), `name = "`+name+`"`+"\n"+source)
		if err := h.Run(t.Context(), hookstest.Event(n)); err != nil {
			t.Fatal(err)
		}
	}
	// An agent lists only the events that are meant for it, so those with a filter that is wrong here
	// must not come back.
	fire(`node = "^no-such-node$"`, 1)
	fire(`service = "^no-such-service$"`, 2)
	fire("service = \"^"+name+"$\"\ntag = \"old\"", 3)
	fire("node = \".*\"\nservice = \"^"+name+"$\"\ntag = \"a.*b|live\"\npayload = \"{{.Name}} {{.Hash}}\"", 4)
	fire(``, 5)

	type event struct{ Payload, Node, Service, Tag string }
	var got []event
	for _, e := range awaitEvents(t, client(t, server.Address, server.Token), name, 2) {
		got = append(got, event{string(e.Payload), e.NodeFilter, e.ServiceFilter, e.TagFilter})
	}
	want := []event{
		{"web " + hookstest.Event(4).Hash, ".*", "^" + name + "$", "a.*b|live"},
		{hookstest.Event(5).Hash, "", "", ""},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// awaitEvents returns the events of a name once there are n of them: an agent handles its own events
// a moment after it took them.
func awaitEvents(t *testing.T, c *api.Client, name string, n int) []*api.UserEvent {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		events, _, err := c.Event().List(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(events) >= n {
			return events
		}
		if time.Now().After(deadline) {
			t.Fatalf("there are %d events named %s after a minute, want %d", len(events), name, n)
		}
	}
}

func TestConsulThatIsNotThere(t *testing.T) {
	t.Parallel()
	address := hookstest.Refusing(t)
	err := hookstest.New(t, consul.EventKind(connect(address, "")), `name = "deployed"`).Run(t.Context(), hookstest.Event(1))
	want := "cannot fire the event deployed: dial tcp " + address + ": connect: connection refused"
	if got := fmt.Sprint(err); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestEventPayloadTooLong(t *testing.T) {
	t.Parallel()
	server := servers.Get(t).Consul
	h := hookstest.New(t, consul.EventKind(connect(server.Address, server.Token)), `
		name    = "too-long"
		payload = "`+strings.Repeat("x", 400)+`"
	`)
	err := h.Run(t.Context(), hookstest.Event(1))
	const want = "cannot fire the event too-long: its payload of 400 bytes is too long, shorten the template: Consul answered 413"
	if !strings.HasPrefix(fmt.Sprint(err), want) {
		t.Errorf("got %v, want it to begin with %q", err, want)
	}
}

func TestEventPermission(t *testing.T) {
	t.Parallel()
	server := servers.Get(t).ConsulACL
	name := "acl-" + hookstest.Unique()
	source := `name = "` + name + `"`

	refused := token(t, server, `event "other" { policy = "write" }`)
	err := hookstest.New(t, consul.EventKind(connect(server.Address, refused)), source).Run(t.Context(), hookstest.Event(1))
	want := fmt.Sprintf("cannot fire the event %s: permission denied: the token of the consul block needs event:write on %q: Consul answered 403", name, name)
	if !strings.HasPrefix(fmt.Sprint(err), want) {
		t.Errorf("got %v, want it to begin with %q", err, want)
	}
	if strings.Contains(fmt.Sprint(err), refused) {
		t.Errorf("%v shows the token", err)
	}

	allowed := token(t, server, `event "`+name+`" { policy = "write" }`)
	if err := hookstest.New(t, consul.EventKind(connect(server.Address, allowed)), source).Run(t.Context(), hookstest.Event(1)); err != nil {
		t.Error(err)
	}
}

// token makes a token with one policy.
func token(t *testing.T, server servers.Consul, rules string) string {
	t.Helper()
	acl := client(t, server.Address, server.Token).ACL()
	policy, _, err := acl.PolicyCreate(&api.ACLPolicy{Name: "hooks-" + hookstest.Unique(), Rules: rules}, nil)
	if err != nil {
		t.Fatal(err)
	}
	made, _, err := acl.TokenCreate(&api.ACLToken{Policies: []*api.ACLLink{{ID: policy.ID}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return made.SecretID
}
