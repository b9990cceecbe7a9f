package consul_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/hcl/v2"

	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/consul"
	"github.com/dropship/dropship/hooks/hookstest"
)

// connect makes clients as the daemon does, except that they keep no connections: the suite counts
// what a hook leaves behind, and connections kept for the next request would be among it.
func connect(address, token string) func() (*api.Client, error) {
	return func() (*api.Client, error) {
		config := api.DefaultNonPooledConfig()
		config.Address, config.Token = address, token
		return api.NewClient(config)
	}
}

func client(t *testing.T, address, token string) *api.Client {
	t.Helper()
	c, err := connect(address, token)()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

type newKind = func(func() (*api.Client, error)) hooks.Kind

// suite runs hookstest on a hook that speaks to servers that are no Consul; what Consul itself does
// is in the other tests. answer is what it wants to hear.
func suite(t *testing.T, kind string, newKind newKind, source, answer string) {
	const token = "planted-token"
	at := func(t *testing.T, address string) hooks.Hook {
		return hookstest.New(t, newKind(connect(address, token)), source)
	}
	fails := func(address func(t *testing.T) string) func(*testing.T, *slog.Logger) hooks.Hook {
		return func(t *testing.T, _ *slog.Logger) hooks.Hook { return limited{at(t, address(t))} }
	}
	hookstest.Run(t, hookstest.Case{
		Kind:    kind,
		Secrets: []string{token},
		Works: func(t *testing.T, _ *slog.Logger) (hooks.Hook, func() []string) {
			address, got := hookstest.Recording(t, answer)
			return at(t, address), got
		},
		Hangs: func(t *testing.T, _ *slog.Logger) (hooks.Hook, <-chan struct{}) {
			address, underWay := hookstest.Hanging(t)
			return at(t, address), underWay
		},
		Fails: map[string]func(*testing.T, *slog.Logger) hooks.Hook{
			"connection refused": fails(func(t *testing.T) string { return hookstest.Refusing(t) }),
			"connection cut":     fails(func(t *testing.T) string { return hookstest.Cutting(t) }),
			"no leader": fails(func(t *testing.T) string {
				return hookstest.Answering(t, http.StatusInternalServerError, "No cluster leader")
			}),
			"forbidden": fails(func(t *testing.T) string { return hookstest.Answering(t, http.StatusForbidden, "Permission denied") }),
			"no client": func(t *testing.T, _ *slog.Logger) hooks.Hook {
				return hookstest.New(t, newKind(func() (*api.Client, error) { return nil, errors.New("no CA file") }), source)
			},
		},
	})
}

func TestEventSuite(t *testing.T) {
	suite(t, "consul-event", consul.EventKind, `name = "deployed"`, `{"ID":"x"}`)
}

// inBefore is a hook in a before chain, where the reason, rendered from the event, goes along.
type inBefore struct{ hooks.Hook }

func (h inBefore) Run(ctx context.Context, ev hooks.Event) error {
	ev.Phase = hooks.Before
	return h.Hook.Run(ctx, ev)
}

// limited has a step's timeout, without which a hook that waits for Consul to come back does not fail.
type limited struct{ hooks.Hook }

func (h limited) Run(ctx context.Context, ev hooks.Event) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return h.Hook.Run(ctx, ev)
}

func beforeKind(conn func() (*api.Client, error)) hooks.Kind {
	kind := consul.MaintenanceKind(conn)
	decode := kind.New
	kind.New = func(body hcl.Body, ectx *hcl.EvalContext) (hooks.Hook, hcl.Diagnostics) {
		h, diags := decode(body, ectx)
		return inBefore{h}, diags
	}
	return kind
}

func TestNodeMaintenanceSuite(t *testing.T) {
	suite(t, "consul-maintenance", beforeKind, ``, ``)
}

func TestServiceMaintenanceSuite(t *testing.T) {
	suite(t, "consul-maintenance", beforeKind, `service = "web-1"`, ``)
}

func TestKinds(t *testing.T) {
	t.Parallel()
	k := consul.EventKind(nil)
	if k.Timeout != 10*time.Second || k.OnError != hooks.Continue || k.When != hooks.Success {
		t.Errorf("consul-event: got %s, %s, %s, want 10s, continue, success", k.Timeout, k.OnError, k.When)
	}
	k = consul.MaintenanceKind(nil)
	if k.Timeout != 30*time.Second || k.OnError != hooks.Abort || k.When != hooks.Always {
		t.Errorf("consul-maintenance: got %s, %s, %s, want 30s, abort, always", k.Timeout, k.OnError, k.When)
	}
}

func TestString(t *testing.T) {
	t.Parallel()
	tests := []struct {
		kind         hooks.Kind
		source, want string
	}{
		{consul.EventKind(nil), `name = "deployed"`, "consul-event deployed"},
		{consul.MaintenanceKind(nil), ``, "consul-maintenance node"},
		{consul.MaintenanceKind(nil), `service = "web-1"`, "consul-maintenance web-1"},
	}
	for _, tt := range tests {
		if got := hookstest.New(t, tt.kind, tt.source).String(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	event, maintenance := consul.EventKind(nil), consul.MaintenanceKind(nil)
	one := func(line, column int, summary string) []hookstest.Mistake {
		return []hookstest.Mistake{{Line: line, Column: column, Summary: summary}}
	}
	tests := []struct {
		name   string
		kind   hooks.Kind
		source string
		want   []hookstest.Mistake
	}{
		{"no name", event, ``, one(1, 1, "Missing required argument")},
		{"empty name", event, `name = ""`, one(1, 8, "Invalid event name")},
		{"name with a slash", event, `name = "a/b"`, one(1, 8, "Invalid event name")},
		{"payload", event, "name = \"x\"\npayload = \"{{.Nope}}\"", one(2, 11, "Invalid template")},
		{"filter", event, "name = \"x\"\nservice = \"(\"", one(2, 11, "Invalid filter")},
		{"empty filter", event, "name = \"x\"\nnode = \"\"", one(2, 8, "Empty filter")},
		{"tag alone", event, "name = \"x\"\ntag = \"a\"", one(2, 7, "tag without service")},
		{"all at once", event, "name = \" \"\npayload = \"{{\"\nnode = \"(\"\ntag = \"(\"", []hookstest.Mistake{
			{Line: 1, Column: 8, Summary: "Invalid event name"},
			{Line: 2, Column: 11, Summary: "Invalid template"},
			{Line: 3, Column: 8, Summary: "Invalid filter"},
			{Line: 4, Column: 7, Summary: "Invalid filter"},
			{Line: 4, Column: 7, Summary: "tag without service"},
		}},
		{"service", maintenance, `service = ""`, one(1, 11, "Invalid service id")},
		{"reason", maintenance, `reason = "{{.Nope}}"`, one(1, 10, "Invalid template")},
		{"unknown", maintenance, `enable = true`, one(1, 1, "Unsupported argument")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			hookstest.Refuses(t, tt.kind, tt.source, tt.want)
		})
	}
}
