package consul

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"

	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/internal/attr"
)

// eventConfig is the inside of a consul-event block.
type eventConfig struct {
	// Name (required) is the event's name, which "consul watch -type=event -name=…" waits for. Not a template.
	Name      string    `hcl:"name"`
	NameRange hcl.Range `hcl:"name,attr_value_range"`

	// Payload (default "{{.Hash}}", a template) is what the event carries. Consul takes 300 bytes of it or so.
	Payload      *string   `hcl:"payload"`
	PayloadRange hcl.Range `hcl:"payload,attr_value_range"`

	// Node, Service and Tag (default "", every machine) are regular expressions: the event is for machines
	// with such a name, that have such a service, with such a tag. Tag goes only with Service.
	Node         *string   `hcl:"node"`
	NodeRange    hcl.Range `hcl:"node,attr_value_range"`
	Service      *string   `hcl:"service"`
	ServiceRange hcl.Range `hcl:"service,attr_value_range"`
	Tag          *string   `hcl:"tag"`
	TagRange     hcl.Range `hcl:"tag,attr_value_range"`
}

// Event fires a user event in Consul.
type Event struct {
	name, node, service, tag string
	payload                  *hooks.Template
	connect                  connect
}

var _ hooks.Hook = (*Event)(nil)

// EventKind makes consul-event hooks: announcements, so they run when an update went well, and a
// failure of theirs changes nothing. conn is called at every run.
func EventKind(conn func() (*api.Client, error)) hooks.Kind {
	return hooks.Kind{
		Timeout: 10 * time.Second,
		OnError: hooks.Continue,
		When:    hooks.Success,
		New: func(body hcl.Body, ectx *hcl.EvalContext) (hooks.Hook, hcl.Diagnostics) {
			return decodeEvent(conn, body, ectx)
		},
	}
}

func decodeEvent(conn connect, body hcl.Body, ectx *hcl.EvalContext) (hooks.Hook, hcl.Diagnostics) {
	var c eventConfig
	diags := gohcl.DecodeBody(body, ectx, &c)
	h := &Event{name: c.Name, connect: conn}
	if attr.Decoded(diags, c.NameRange) && !isName(c.Name) {
		diags = append(diags, attr.Mistake(c.NameRange, "Invalid event name",
			"An event needs a name, without spaces and slashes."))
	}
	payload := "{{.Hash}}"
	if c.Payload != nil {
		payload = *c.Payload
	}
	var more hcl.Diagnostics
	h.payload, more = hooks.DecodeTemplate(payload, c.PayloadRange)
	diags = append(diags, more...)

	h.node, more = decodeFilter("node", c.Node, c.NodeRange)
	diags = append(diags, more...)
	h.service, more = decodeFilter("service", c.Service, c.ServiceRange)
	diags = append(diags, more...)
	h.tag, more = decodeFilter("tag", c.Tag, c.TagRange)
	diags = append(diags, more...)
	if c.Tag != nil && c.Service == nil {
		diags = append(diags, attr.Mistake(c.TagRange, "tag without service",
			"A tag belongs to a service, so Consul takes a filter by tag only together with one by service."))
	}
	if diags.HasErrors() {
		return nil, diags
	}
	return h, diags
}

func isName(s string) bool { return s != "" && !strings.ContainsAny(s, "/ \t\r\n") }

func decodeFilter(name string, text *string, at hcl.Range) (string, hcl.Diagnostics) {
	if text == nil {
		return "", nil
	}
	if *text == "" {
		return "", hcl.Diagnostics{attr.Mistake(at, "Empty filter", fmt.Sprintf("Leave %s out to send the event to every machine.", name))}
	}
	if _, err := regexp.Compile(*text); err != nil {
		return "", hcl.Diagnostics{attr.Mistake(at, "Invalid filter", fmt.Sprintf("%s must be a regular expression: %v.", name, err))}
	}
	return *text, nil
}

// String returns "consul-event " and the event's name.
func (h *Event) String() string { return "consul-event " + h.name }

// Run fires the event once. That Consul took it does not mean that it has reached any machine:
// it spreads by gossip, and is never delivered with certainty.
func (h *Event) Run(ctx context.Context, ev hooks.Event) error {
	if ctx.Err() != nil {
		return fmt.Errorf("event %s not fired: %w", h.name, context.Cause(ctx))
	}
	payload, err := h.payload.Render(ev)
	if err != nil {
		return fmt.Errorf("payload: %w", err)
	}
	client, err := h.connect()
	if err != nil {
		return fmt.Errorf("cannot fire the event %s: %w", h.name, err)
	}
	event := &api.UserEvent{
		Name:          h.name,
		Payload:       []byte(payload),
		NodeFilter:    h.node,
		ServiceFilter: h.service,
		TagFilter:     h.tag,
	}
	if _, _, err := client.Event().Fire(event, new(api.WriteOptions).WithContext(ctx)); err != nil {
		return h.explain(ctx, err, len(payload))
	}
	return nil
}

func (h *Event) explain(ctx context.Context, err error, size int) error {
	err = explain(ctx, err, fmt.Sprintf("event:write on %q", h.name))
	var status api.StatusError
	if errors.As(err, &status) && status.Code == http.StatusRequestEntityTooLarge {
		return fmt.Errorf("cannot fire the event %s: its payload of %d bytes is too long, shorten the template: %w", h.name, size, err)
	}
	return fmt.Errorf("cannot fire the event %s: %w", h.name, err)
}
