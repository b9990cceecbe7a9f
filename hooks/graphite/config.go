package graphite

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"

	"github.com/dropship/dropship/dropship/secret"
	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/internal/attr"
	"github.com/dropship/dropship/hooks/internal/tags"
)

// config is the inside of a graphite-event block.
type config struct {
	// Host (required) is where graphite-web is: "http://graphite.example.com", or https, with a path if it
	// is not at the root. A user and password in it are used like the attributes. Not a template.
	Host      string    `hcl:"host"`
	HostRange hcl.Range `hcl:"host,attr_value_range"`

	// What (required, a template) is the event's title.
	What      string    `hcl:"what"`
	WhatRange hcl.Range `hcl:"what,attr_value_range"`

	// Data (default "", a template) is the event's text.
	Data      *string   `hcl:"data"`
	DataRange hcl.Range `hcl:"data,attr_value_range"`

	// Tags (default none, templates) are the event's tags beside the service's name: a string with spaces
	// or commas between them, or a list of strings. A space within a tag becomes "_": Graphite has none.
	Tags *hcl.Attribute `hcl:"tags"`

	// User and Password (default none) are for basic authentication.
	User     string        `hcl:"user,optional"`
	Password secret.String `hcl:"password,optional"`
}

// Kind makes graphite-event hooks: announcements, so they run when an update went well, and a failure
// of theirs changes nothing.
func Kind() hooks.Kind {
	return hooks.Kind{Timeout: 15 * time.Second, OnError: hooks.Continue, When: hooks.Success, New: decode}
}

func decode(body hcl.Body, ectx *hcl.EvalContext) (hooks.Hook, hcl.Diagnostics) {
	var c config
	diags := gohcl.DecodeBody(body, ectx, &c)
	h := &Hook{user: c.User, password: c.Password, client: newClient()}

	hostOK, whatOK := attr.Decoded(diags, c.HostRange), attr.Decoded(diags, c.WhatRange)
	if hostOK {
		diags = append(diags, h.setHost(c)...)
	}
	var more hcl.Diagnostics
	switch {
	case whatOK && strings.TrimSpace(c.What) == "":
		diags = append(diags, attr.Mistake(c.WhatRange, "Empty what", "An event must say what happened."))
	case whatOK:
		h.what, more = hooks.DecodeTemplate(c.What, c.WhatRange)
		diags = append(diags, more...)
	}
	if c.Data != nil {
		h.data, more = hooks.DecodeTemplate(*c.Data, c.DataRange)
		diags = append(diags, more...)
	}
	if c.Tags != nil {
		h.tags, more = tags.Decode(c.Tags, ectx)
		diags = append(diags, more...)
	}
	if diags.HasErrors() {
		return nil, diags
	}
	return h, diags
}

// setHost checks the address. One that is no address yet, like the placeholder of an example, is a
// warning, so that the file can be tried before all of it is filled in; the hook then fails when it runs.
func (h *Hook) setHost(c config) hcl.Diagnostics {
	scheme, rest, found := strings.Cut(c.Host, "://")
	if !found || scheme != "http" && scheme != "https" || rest == "" {
		return hcl.Diagnostics{attr.Mistake(c.HostRange, "Invalid host",
			`The host must be the address of graphite-web, beginning with http:// or https://, such as "http://graphite.example.com".`)}
	}
	u, err := url.Parse(c.Host)
	if err != nil || !attr.IsHostname(u.Hostname()) {
		h.host = secret.URL(c.Host)
		if !strings.Contains(c.Host, "@") { // then there is no password in it
			h.host = c.Host
		}
		return hcl.Diagnostics{{
			Severity: hcl.DiagWarning,
			Summary:  "Host is not a valid address yet",
			Detail:   fmt.Sprintf("%s cannot be an address. The service loads, but no event will get through before it is one.", h.host),
			Subject:  &c.HostRange,
		}}
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return hcl.Diagnostics{attr.Mistake(c.HostRange, "Invalid host",
			"The host is the address of graphite-web, to which /events/ is added, so it can have no query and no fragment.")}
	}
	if u.User != nil {
		if h.user == "" {
			password, _ := u.User.Password()
			h.user, h.password = u.User.Username(), secret.String(password)
		}
		u.User = nil
	}
	h.host, h.events = u.String(), u.JoinPath("events/")
	return nil
}

// newClient returns a client that keeps no connection, for a hook that runs once in a while, and follows
// no redirect: a POST that is redirected becomes a GET, which Graphite would answer with 200 and no event.
func newClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
