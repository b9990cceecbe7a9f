package consul_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/consul"
	"github.com/dropship/dropship/hooks/hookstest"
	"github.com/dropship/dropship/test/faultproxy"
	"github.com/dropship/dropship/test/servers"
)

// runStep runs a hook as a chain does, with a limit, and fails the test if it does not keep to that.
func runStep(t *testing.T, h hooks.Hook, limit time.Duration, ev hooks.Event) error {
	t.Helper()
	begin := time.Now()
	err := hooks.Chain{{Hook: h, Timeout: limit, OnError: hooks.Abort, When: hooks.Always}}.Run(t.Context(), 0, ev, hooks.Report{})
	if took := time.Since(begin); took > limit+30*time.Second {
		t.Errorf("took %s, want soon after %s at the latest", took, limit)
	}
	return err
}

// The end of the maintenance gets through to the real Consul as soon as the network lets it, and where that is
// never, the hook ends in its time and says so.
func TestMaintenanceOverABrokenNetwork(t *testing.T) {
	t.Parallel()
	server := servers.Get(t).Consul
	once := func(f faultproxy.Fault) func(*faultproxy.Proxy) {
		return func(p *faultproxy.Proxy) { p.Break(1, f, faultproxy.All) }
	}
	always := func(f faultproxy.Fault) func(*faultproxy.Proxy) {
		return func(p *faultproxy.Proxy) { p.Break(-1, f, faultproxy.All) }
	}
	const enough, little = time.Minute, time.Second
	for _, tt := range []struct {
		name   string
		breaks func(*faultproxy.Proxy)
		limit  time.Duration
		ok     bool
	}{
		{"cut before the request", once(faultproxy.Refuse()), enough, true},
		{"cut before the answer", once(faultproxy.Lose()), enough, true},
		{"500", once(faultproxy.Status(http.StatusInternalServerError)), enough, true},
		{"502", once(faultproxy.Status(http.StatusBadGateway)), enough, true},
		{"503", once(faultproxy.Status(http.StatusServiceUnavailable, "Retry-After", "31536000")), enough, true},
		{"429", once(faultproxy.Status(http.StatusTooManyRequests, "Retry-After", "1")), enough, true},
		{"no HTTP", once(faultproxy.Raw("220 mail.example.com ESMTP\r\n\r\n")), enough, true},
		{"flapping", func(p *faultproxy.Proxy) { p.Flap(200*time.Millisecond, 300*time.Millisecond) }, enough, true},
		{"silence", always(faultproxy.Silence()), little, false},
		{"silence in the answer", always(faultproxy.StatusStall(http.StatusInternalServerError)), little, false},
		{"mute", (*faultproxy.Proxy).Mute, little, false},
		{"down", (*faultproxy.Proxy).Down, little, false},
		{"redirected for ever", always(faultproxy.Loop(http.StatusTemporaryRedirect)), little, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			name := "network-" + hookstest.Unique()
			agent := client(t, server.Address, server.Token).Agent()
			if err := agent.ServiceRegister(&api.AgentServiceRegistration{ID: name, Name: name, Port: 80}); err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := agent.ServiceDeregister(name); err != nil {
					t.Error(err)
				}
			}()
			p := faultproxy.Start(t, "http://"+server.Address)
			h := hookstest.New(t, consul.MaintenanceKind(connect(strings.TrimPrefix(p.URL, "http://"), "not-to-be-shown")), `service = "`+name+`"`)
			for _, phase := range []hooks.Phase{hooks.Before, hooks.After} {
				if !tt.ok && phase == hooks.Before {
					continue // it ends in the same way, and takes its time
				}
				tt.breaks(p)
				err := runStep(t, h, tt.limit, inPhase(phase))
				if (err == nil) != tt.ok || strings.Contains(fmt.Sprint(err), "not-to-be-shown") {
					t.Errorf("%s: got error %v, want one: %t", phase, err, !tt.ok)
				}
				p.Heal()
				p.Up()
				if phase == hooks.Before {
					awaitPassing(t, server, name)
				}
			}
			awaitPassing(t, server, name, name)
		})
	}
}

// An event is fired at most once, and where Consul may not have it the hook says so.
func TestEventsOverABrokenNetwork(t *testing.T) {
	t.Parallel()
	server := servers.Get(t).Consul
	for _, tt := range []struct {
		fault  faultproxy.Fault
		events int
	}{
		{faultproxy.Refuse(), 0},
		{faultproxy.Lose(), 1},
		{faultproxy.Silence(), 0},
		{faultproxy.Status(http.StatusServiceUnavailable), 0},
		{faultproxy.Stall(1), 1},
	} {
		t.Run(tt.fault.String(), func(t *testing.T) {
			t.Parallel()
			name := "network-" + hookstest.Unique()
			p := faultproxy.Start(t, "http://"+server.Address)
			p.Break(1, tt.fault, faultproxy.All)
			h := hookstest.New(t, consul.EventKind(connect(strings.TrimPrefix(p.URL, "http://"), "")), `name = "`+name+`"`)
			if err := runStep(t, h, 2*time.Second, hookstest.Event(1)); err == nil {
				t.Error("got no error for an event that may be lost")
			}
			direct := client(t, server.Address, server.Token)
			awaitEvents(t, direct, name, tt.events)
			// An event that came twice would be there soon after: one fired later is handled after it.
			last := "network-" + hookstest.Unique()
			if _, _, err := direct.Event().Fire(&api.UserEvent{Name: last}, nil); err != nil {
				t.Fatal(err)
			}
			awaitEvents(t, direct, last, 1)
			if got := len(awaitEvents(t, direct, name, tt.events)); got != tt.events {
				t.Errorf("Consul has %d events, want %d", got, tt.events)
			}
		})
	}
}
