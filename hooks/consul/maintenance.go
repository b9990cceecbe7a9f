package consul

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"

	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/internal/attr"
)

// maintenanceConfig is the inside of a consul-maintenance block.
type maintenanceConfig struct {
	// Service (default none: this machine with all its services) is the id, not the name, of a service that is
	// registered with the Consul agent. Not a template.
	Service      *string   `hcl:"service"`
	ServiceRange hcl.Range `hcl:"service,attr_value_range"`

	// Reason (a template, default "dropship: updating {{.Name}} to {{.Hash}} ({{.UpdateID}})") is what
	// Consul shows as the reason for the maintenance.
	Reason      *string   `hcl:"reason"`
	ReasonRange hcl.Range `hcl:"reason,attr_value_range"`
}

// Maintenance turns Consul's maintenance mode on in a before chain, and off in an after chain. What is in
// maintenance is critical: DNS and health queries for passing services no longer return it.
//
// The mode is kept by Consul, across restarts of either side, and nowhere else. It belongs to nobody: turning it
// on twice is no error, nor is turning off what is not on, and an after chain turns off what a person turned on.
type Maintenance struct {
	service string
	reason  *hooks.Template
	connect connect
}

var _ hooks.Hook = (*Maintenance)(nil)

// MaintenanceKind makes consul-maintenance hooks: what puts a machine back in order, so they always run
// and abort. conn is called at every run.
func MaintenanceKind(conn func() (*api.Client, error)) hooks.Kind {
	return hooks.Kind{
		Timeout: 30 * time.Second,
		OnError: hooks.Abort,
		When:    hooks.Always,
		New: func(body hcl.Body, ectx *hcl.EvalContext) (hooks.Hook, hcl.Diagnostics) {
			return decodeMaintenance(conn, body, ectx)
		},
	}
}

func decodeMaintenance(conn connect, body hcl.Body, ectx *hcl.EvalContext) (hooks.Hook, hcl.Diagnostics) {
	var c maintenanceConfig
	diags := gohcl.DecodeBody(body, ectx, &c)
	h := &Maintenance{connect: conn}
	if c.Service != nil {
		h.service = *c.Service
		if strings.TrimSpace(h.service) == "" || strings.Contains(h.service, "/") {
			diags = append(diags, attr.Mistake(c.ServiceRange, "Invalid service id",
				"Give the id of a service, which has no slash in it, or leave service out for the whole machine."))
		}
	}
	reason := "dropship: updating {{.Name}} to {{.Hash}} ({{.UpdateID}})"
	if c.Reason != nil {
		reason = *c.Reason
	}
	var more hcl.Diagnostics
	h.reason, more = hooks.DecodeTemplate(reason, c.ReasonRange)
	diags = append(diags, more...)
	if diags.HasErrors() {
		return nil, diags
	}
	return h, diags
}

// String returns "consul-maintenance " and the service's id or "node".
func (h *Maintenance) String() string {
	if h.service == "" {
		return "consul-maintenance node"
	}
	return "consul-maintenance " + h.service
}

// Run turns maintenance on or off. A Consul that cannot be reached or fails (429, 5xx) is asked again until ctx
// ends: an agent that restarts is no reason to undo an update, or to leave the machine out of sight. A refusal
// is an error at once, as is a service that the agent does not know.
func (h *Maintenance) Run(ctx context.Context, ev hooks.Event) error {
	on := ev.Phase == hooks.Before
	what := "off"
	if on {
		what = "on"
	}
	target := "this machine"
	if h.service != "" {
		target = "service " + h.service
	}
	if err := h.turn(ctx, on, ev); err != nil {
		return fmt.Errorf("cannot turn maintenance of %s %s: %w", target, what, err)
	}
	return nil
}

func (h *Maintenance) turn(ctx context.Context, on bool, ev hooks.Event) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	reason, err := h.reason.Render(ev)
	if err != nil {
		return fmt.Errorf("reason: %w", err)
	}
	client, err := h.connect()
	if err != nil {
		return err
	}
	return persist(ctx, func(ctx context.Context) error {
		query := new(api.QueryOptions).WithContext(ctx)
		if h.service == "" {
			return h.turnNode(ctx, client.Agent(), on, reason, query)
		}
		return h.turnService(ctx, client.Agent(), on, reason, query)
	})
}

func (h *Maintenance) turnService(ctx context.Context, agent *api.Agent, on bool, reason string, query *api.QueryOptions) error {
	var err error
	if on {
		err = agent.EnableServiceMaintenanceOpts(h.service, reason, query)
	} else {
		err = agent.DisableServiceMaintenanceOpts(h.service, query)
	}
	if isNotFound(err) {
		return fmt.Errorf("no service with the id %s is registered with this Consul agent; `consul catalog services` has names, "+
			"/v1/agent/services has ids: %w", h.service, explain(ctx, err, ""))
	}
	if err != nil {
		return explain(ctx, err, fmt.Sprintf("service:write on the name of the service %s", h.service))
	}
	return nil
}

// turnNode registers and removes the check that is the node's maintenance mode. Consul's client has calls
// for this mode, but they take no context, so that an agent that hangs would hold up the daemon; the
// check is the same one that they and `consul maint` set, show and remove.
func (h *Maintenance) turnNode(ctx context.Context, agent *api.Agent, on bool, reason string, query *api.QueryOptions) error {
	var err error
	if on {
		err = agent.CheckRegisterOpts(nodeMaintenance(reason), query)
	} else {
		err = agent.CheckDeregisterOpts(api.NodeMaint, query)
	}
	if err == nil || !on && isNotFound(err) {
		return nil
	}
	return explain(ctx, err, "node:write on the name of this machine")
}

// nodeMaintenance is the check, critical for ever: registered from outside it needs a time to live, after
// which it turns critical, and nobody ever says that it passes.
func nodeMaintenance(reason string) *api.AgentCheckRegistration {
	return &api.AgentCheckRegistration{
		ID:    api.NodeMaint,
		Name:  "Node Maintenance Mode",
		Notes: reason,
		AgentServiceCheck: api.AgentServiceCheck{
			Status: api.HealthCritical,
			TTL:    (10 * 365 * 24 * time.Hour).String(),
		},
	}
}

func isNotFound(err error) bool {
	var status api.StatusError
	return errors.As(err, &status) && status.Code == http.StatusNotFound
}
