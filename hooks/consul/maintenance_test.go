package consul_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/consul"
	"github.com/dropship/dropship/hooks/hookstest"
	"github.com/dropship/dropship/test/servers"
)

func inPhase(phase hooks.Phase) hooks.Event {
	ev := hookstest.Event(1)
	ev.Phase = phase
	return ev
}

// run runs a hook made anew each time, as a daemon that was restarted would.
func run(t *testing.T, server servers.Consul, source string, phase hooks.Phase) {
	t.Helper()
	h := hookstest.New(t, consul.MaintenanceKind(connect(server.Address, server.Token)), source)
	if err := h.Run(t.Context(), inPhase(phase)); err != nil {
		t.Errorf("%s: %v", phase, err)
	}
}

// register registers a service with two instances and returns its name; the ids are NAME-1 and NAME-2.
func register(t *testing.T, server servers.Consul) (name string) {
	t.Helper()
	agent := client(t, server.Address, server.Token).Agent()
	name = "web-" + hookstest.Unique()
	for _, id := range []string{name + "-1", name + "-2"} {
		if err := agent.ServiceRegister(&api.AgentServiceRegistration{ID: id, Name: name, Port: 80}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := agent.ServiceDeregister(id); err != nil {
				t.Error(err)
			}
		})
	}
	return name
}

// awaitPassing waits until the health endpoint returns these ids of a service, no others, as passing; the
// agent tells the servers' catalog about a change within moments.
func awaitPassing(t *testing.T, server servers.Consul, name string, want ...string) {
	t.Helper()
	health := client(t, server.Address, server.Token).Health()
	var got []string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		entries, _, err := health.Service(name, "", true, &api.QueryOptions{RequireConsistent: true})
		if err != nil {
			t.Fatal(err)
		}
		got = nil
		for _, e := range entries {
			got = append(got, e.Service.ID)
		}
		if fmt.Sprint(got) == fmt.Sprint(want) {
			return
		}
	}
	t.Errorf("passing are %v, want %v", got, want)
}

func checks(t *testing.T, server servers.Consul) map[string]*api.AgentCheck {
	t.Helper()
	checks, err := client(t, server.Address, server.Token).Agent().Checks()
	if err != nil {
		t.Fatal(err)
	}
	return checks
}

func TestServiceMaintenance(t *testing.T) {
	t.Parallel()
	server := servers.Get(t).Consul
	name := register(t, server)
	one, two := name+"-1", name+"-2"
	source := `service = "` + one + `"`
	awaitPassing(t, server, name, one, two)

	run(t, server, source, hooks.After) // not on, and turned off all the same
	run(t, server, source, hooks.Before)
	run(t, server, source, hooks.Before)
	awaitPassing(t, server, name, two)
	check := checks(t, server)["_service_maintenance:"+one]
	if check == nil {
		t.Fatal("Consul has no maintenance check of the service")
	}
	if got, want := check.Notes, "dropship: updating web to "+hookstest.Event(1).Hash+" (update-1)"; got != want {
		t.Errorf("the reason is %q, want %q", got, want)
	}

	run(t, server, source, hooks.After)
	awaitPassing(t, server, name, one, two)
	run(t, server, source, hooks.After)
}

func TestServiceMaintenanceReason(t *testing.T) {
	t.Parallel()
	server := servers.Get(t).Consul
	id := register(t, server) + "-1"
	run(t, server, `service = "`+id+`"`+"\n"+`reason = "{{.Status}} of {{.Name}} & more"`, hooks.Before)
	if got, want := checks(t, server)["_service_maintenance:"+id].Notes, "update of web & more"; got != want {
		t.Errorf("the reason is %q, want %q", got, want)
	}
}

func TestUnknownService(t *testing.T) {
	t.Parallel()
	server := servers.Get(t).Consul
	for phase, want := range map[hooks.Phase]string{
		hooks.Before: "cannot turn maintenance of service no-such-id on: no service with the id no-such-id is registered with this Consul agent",
		hooks.After:  "cannot turn maintenance of service no-such-id off: no service with the id no-such-id is registered with this Consul agent",
	} {
		h := hookstest.New(t, consul.MaintenanceKind(connect(server.Address, server.Token)), `service = "no-such-id"`)
		if err := h.Run(t.Context(), inPhase(phase)); !strings.HasPrefix(fmt.Sprint(err), want) {
			t.Errorf("got %v, want it to begin with %q", err, want)
		}
	}
}

// The mode of the node, and of a service, is Consul's: it is still on when Consul comes back, and a
// daemon that did not turn it on turns it off.
func TestMaintenanceSurvivesRestarts(t *testing.T) {
	t.Parallel()
	private := servers.NewConsul(t)
	server := servers.Consul{Address: private.Address}
	name := "web-" + hookstest.Unique()
	agent := client(t, server.Address, "").Agent()
	if err := agent.ServiceRegister(&api.AgentServiceRegistration{ID: name, Name: name, Port: 80}); err != nil {
		t.Fatal(err)
	}
	service := `service = "` + name + `"`
	awaitPassing(t, server, name, name)

	run(t, server, ``, hooks.Before)
	run(t, server, service, hooks.Before)
	private.Kill()
	private.Start()
	run(t, server, service, hooks.After)
	awaitPassing(t, server, name) // the node is in maintenance still
	run(t, server, ``, hooks.After)
	awaitPassing(t, server, name, name)
}

// What the hook sets is the mode that `consul maint` and Consul's own calls know.
func TestNodeMaintenanceIsConsulsOwn(t *testing.T) {
	t.Parallel()
	private := servers.NewConsul(t)
	server := servers.Consul{Address: private.Address}
	c := client(t, server.Address, "")
	node, err := c.Agent().NodeName()
	if err != nil {
		t.Fatal(err)
	}
	awaitStatus := func(want string) {
		t.Helper()
		var got string
		for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
			checks, _, err := c.Health().Node(node, &api.QueryOptions{RequireConsistent: true})
			if err != nil {
				t.Fatal(err)
			}
			if got = checks.AggregatedStatus(); got == want {
				return
			}
		}
		t.Errorf("the node is %s, want %s", got, want)
	}

	run(t, server, ``, hooks.After) // not on, and turned off all the same
	run(t, server, ``, hooks.Before)
	run(t, server, ``, hooks.Before)
	awaitStatus(api.HealthMaint)
	if got, want := checks(t, server)[api.NodeMaint].Notes, "dropship: updating web to "+hookstest.Event(1).Hash+" (update-1)"; got != want {
		t.Errorf("the reason is %q, want %q", got, want)
	}
	if err := c.Agent().DisableNodeMaintenance(); err != nil {
		t.Fatal(err)
	}
	awaitStatus(api.HealthPassing)

	if err := c.Agent().EnableNodeMaintenance("by hand"); err != nil {
		t.Fatal(err)
	}
	awaitStatus(api.HealthMaint)
	run(t, server, ``, hooks.After)
	awaitStatus(api.HealthPassing)
}

func TestMaintenancePermission(t *testing.T) {
	t.Parallel()
	server := servers.Get(t).ConsulACL
	name := register(t, server)
	tests := []struct{ name, source, refused, allowed, want string }{
		{
			"node", ``, `node_prefix "" { policy = "read" }`, `node_prefix "" { policy = "write" }`,
			"cannot turn maintenance of this machine on: permission denied: the token of the consul block needs node:write",
		},
		{
			"service", `service = "` + name + `-1"`, `service_prefix "" { policy = "read" }`, `service "` + name + `" { policy = "write" }`,
			"cannot turn maintenance of service " + name + "-1 on: permission denied: the token of the consul block needs service:write",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			refused := token(t, server, tt.refused)
			h := hookstest.New(t, consul.MaintenanceKind(connect(server.Address, refused)), tt.source)
			err := h.Run(t.Context(), inPhase(hooks.Before))
			if !strings.HasPrefix(fmt.Sprint(err), tt.want) || strings.Contains(fmt.Sprint(err), refused) {
				t.Errorf("got %v, want it to begin with %q, without the token", err, tt.want)
			}
			allowed := servers.Consul{Address: server.Address, Token: token(t, server, tt.allowed)}
			run(t, allowed, tt.source, hooks.Before)
			run(t, allowed, tt.source, hooks.After)
		})
	}
}
