package grafana

import (
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"

	"github.com/dropship/dropship/dropship/secret"
	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/internal/attr"
	"github.com/dropship/dropship/hooks/internal/request"
	"github.com/dropship/dropship/hooks/internal/tags"
)

// config is the inside of a grafana-annotation block.
type config struct {
	// URL (required) is where Grafana is: "https://grafana.example.com", with a path if it is not at the root. A user and
	// password in it are used like the attributes. Not a template.
	URL      string    `hcl:"url"`
	URLRange hcl.Range `hcl:"url,attr_value_range"`

	// Token (default none) is that of a service account that may make annotations.
	Token      secret.String `hcl:"token,optional"`
	TokenRange hcl.Range     `hcl:"token,attr_value_range"`

	// User and Password (default none) are for basic authentication, in place of a token.
	User     string        `hcl:"user,optional"`
	Password secret.String `hcl:"password,optional"`

	// Text (default [DefaultText], a template) is what the annotation says. Grafana shows it as HTML.
	Text      *string   `hcl:"text"`
	TextRange hcl.Range `hcl:"text,attr_value_range"`

	// Tags (default none, templates) are the annotation's tags beside the service's name, as those of graphite-event.
	Tags *hcl.Attribute `hcl:"tags"`

	// DashboardUID (default "", every dashboard that asks for one of the tags) is the one dashboard that shows it.
	DashboardUID      *string   `hcl:"dashboardUID"`
	DashboardUIDRange hcl.Range `hcl:"dashboardUID,attr_value_range"`

	// PanelID (default every panel) is the one panel of that dashboard that shows it.
	PanelID      *int64    `hcl:"panelId"`
	PanelIDRange hcl.Range `hcl:"panelId,attr_value_range"`
}

// DefaultText is what an annotation says if the configuration does not.
const DefaultText = `{{.Name}}: {{.Status}} to {{.Hash}} on {{.Hostname}}{{with .Error}}: {{html .}}{{end}}`

// Kind makes grafana-annotation hooks: announcements, so they run when an update went well, and a failure of theirs
// changes nothing.
func Kind() hooks.Kind {
	return hooks.Kind{Timeout: 15 * time.Second, OnError: hooks.Continue, When: hooks.Success, New: decode}
}

func decode(body hcl.Body, ectx *hcl.EvalContext) (hooks.Hook, hcl.Diagnostics) {
	var c config
	diags := gohcl.DecodeBody(body, ectx, &c)
	h := &Hook{token: c.Token, user: c.User, password: c.Password, client: request.New()}

	if attr.Decoded(diags, c.URLRange) {
		diags = append(diags, h.setURL(c)...)
	}
	if c.Token != "" && (h.user != "" || h.password != "") {
		diags = append(diags, attr.Mistake(c.TokenRange, "Two ways to log in", "Give a token, or a user and password, not both."))
	}
	text := DefaultText
	if c.Text != nil {
		text = *c.Text
	}
	var more hcl.Diagnostics
	if strings.TrimSpace(text) == "" {
		diags = append(diags, attr.Mistake(c.TextRange, "Empty text", "Grafana takes no annotation without a text. Leave text out for the default one."))
	} else {
		h.text, more = hooks.DecodeTemplate(text, c.TextRange)
		diags = append(diags, more...)
	}
	if c.Tags != nil {
		h.tags, more = tags.Decode(c.Tags, ectx)
		diags = append(diags, more...)
	}
	diags = append(diags, h.setPlace(c, attr.Decoded(diags, c.PanelIDRange))...)
	if diags.HasErrors() {
		return nil, diags
	}
	return h, diags
}

func (h *Hook) setURL(c config) hcl.Diagnostics {
	u, ok := attr.Server(c.URL)
	if !ok || u.RawQuery != "" || u.Fragment != "" {
		return hcl.Diagnostics{attr.Mistake(c.URLRange, "Invalid url",
			`The url must be the address of Grafana, beginning with http:// or https://, such as "https://grafana.example.com": api/annotations is added to it, so it can have no query and no fragment.`)}
	}
	if u.User != nil {
		if h.user == "" {
			password, _ := u.User.Password()
			h.user, h.password = u.User.Username(), secret.String(password)
		}
		u.User = nil
	}
	h.url, h.annotations = u.String(), u.JoinPath("api", "annotations")
	return nil
}

func (h *Hook) setPlace(c config, panel bool) hcl.Diagnostics {
	var diags hcl.Diagnostics
	if c.DashboardUID != nil {
		h.dashboardUID = *c.DashboardUID
		if h.dashboardUID == "" {
			diags = append(diags, attr.Mistake(c.DashboardUIDRange, "Empty dashboardUID", "Leave dashboardUID out for an annotation that all dashboards can show."))
		}
	}
	if panel && c.PanelID != nil {
		h.panelID = *c.PanelID
		switch {
		case h.panelID < 1:
			diags = append(diags, attr.Mistake(c.PanelIDRange, "Invalid panelId", "The id of a panel is a number from 1 on: it is in the panel's address, and in the dashboard's JSON."))
		case c.DashboardUID == nil:
			diags = append(diags, attr.Mistake(c.PanelIDRange, "panelId without dashboardUID", "A panel's id says nothing without the dashboard: add dashboardUID."))
		}
	}
	return diags
}
