package webhook

import (
	"encoding/base64"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/dropship/dropship/dropship/secret"
	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/internal/attr"
	"github.com/dropship/dropship/hooks/internal/request"
)

// config is the inside of a webhook block.
type config struct {
	// URL (required) is where the message is sent: "https://hooks.example.com/…", or http. What follows the host may be a
	// credential, and is never printed. A user and password in it are used for basic authentication. Not a template.
	URL      secret.String `hcl:"url"`
	URLRange hcl.Range     `hcl:"url,attr_value_range"`

	// Body (default [DefaultBody], a template) is the message. It must be JSON whatever the values in it, which
	// {{json .Error}} sees to, unless headers has another Content-Type. What env and file put into it is never printed.
	Body *hcl.Attribute `hcl:"body"`

	// Headers (default none) are added to the request; Content-Type is "application/json" unless it is among them, and
	// "Host" is the name asked for. The values may be secrets: they are never printed.
	Headers      map[string]secret.String `hcl:"headers,optional"`
	HeadersRange hcl.Range                `hcl:"headers,attr_value_range"`

	// Secret (default none, nothing is signed) is the key that signs requests as Standard Webhooks says: "whsec_" and
	// 24 to 64 bytes in base64.
	Secret      secret.String `hcl:"secret,optional"`
	SecretRange hcl.Range     `hcl:"secret,attr_value_range"`

	// Method (default "POST") is POST, PUT or PATCH.
	Method      *string   `hcl:"method"`
	MethodRange hcl.Range `hcl:"method,attr_value_range"`
}

// DefaultBody is all that hooks know of an update.
const DefaultBody = `{
  "name": {{json .Name}},
  "hostname": {{json .Hostname}},
  "hash": {{json .Hash}},
  "previous_hash": {{json .PreviousHash}},
  "phase": {{json .Phase}},
  "status": {{json .Status}},
  "error": {{json .Error}},
  "artifact": {{json .Artifact}},
  "destination": {{json .Destination}},
  "update_id": {{json .UpdateID}},
  "started": {{json .Started}}
}
`

// defaultBody is parsed once, however many hooks send it. It is JSON whatever is filled in.
var defaultBody = sync.OnceValue(func() *hooks.Template {
	t, err := hooks.ParseTemplate(DefaultBody)
	if err != nil {
		panic(err) // the text is ours
	}
	return t
})

// secretPrefix marks a key as one of Standard Webhooks.
const secretPrefix = "whsec_"

// Kind makes webhook hooks: announcements, so they run when an update went well, and a failure of theirs changes nothing.
func Kind() hooks.Kind {
	return hooks.Kind{Timeout: 30 * time.Second, OnError: hooks.Continue, When: hooks.Success, New: decode}
}

func decode(body hcl.Body, ectx *hcl.EvalContext) (hooks.Hook, hcl.Diagnostics) {
	var c config
	diags := gohcl.DecodeBody(body, ectx, &c)
	h := &Hook{method: http.MethodPost, headers: c.Headers, client: request.New()}

	if attr.Decoded(diags, c.URLRange) {
		diags = append(diags, h.setURL(c)...)
	}
	if c.Method != nil {
		h.method = *c.Method
		if !slices.Contains([]string{http.MethodPost, http.MethodPut, http.MethodPatch}, h.method) {
			diags = append(diags, attr.Mistake(c.MethodRange, "Invalid method", "The method must be POST, PUT or PATCH: the request has a body."))
		}
	}
	diags = append(diags, h.setHeaders(c)...)
	if attr.Decoded(diags, c.SecretRange) {
		diags = append(diags, h.setKey(c)...)
	}
	diags = append(diags, h.setBody(c, ectx)...)
	if diags.HasErrors() {
		return nil, diags
	}
	return h, diags
}

func (h *Hook) setURL(c config) hcl.Diagnostics {
	u, ok := attr.Server(c.URL.Reveal())
	if !ok || u.Fragment != "" {
		return hcl.Diagnostics{attr.Mistake(c.URLRange, "Invalid url",
			`The url must be an address beginning with http:// or https://, such as "https://hooks.example.com/services/…".`)}
	}
	h.url, h.user, u.User = u, u.User, nil
	parts := append(strings.Split(u.Path, "/"), u.RequestURI(), u.EscapedPath(), u.RawQuery)
	for _, values := range u.Query() {
		parts = append(parts, values...)
	}
	if h.user != nil {
		password, _ := h.user.Password()
		h.hide = append(h.hide, password)
	}
	h.hideLong(parts)
	return nil
}

// hideLong hides values in answers. Shorter ones are words, and would take the sense out of answers.
func (h *Hook) hideLong(values []string) {
	for _, v := range values {
		if len(v) >= 8 {
			h.hide = append(h.hide, v)
		}
	}
}

func (h *Hook) setHeaders(c config) hcl.Diagnostics {
	diags := attr.Headers(c.Headers, c.HeadersRange)
	contentType := "application/json"
	for _, key := range slices.Sorted(maps.Keys(c.Headers)) {
		switch name := http.CanonicalHeaderKey(key); name {
		case "Webhook-Id", "Webhook-Timestamp", "Webhook-Signature":
			diags = append(diags, attr.Mistake(c.HeadersRange, "Invalid header",
				fmt.Sprintf("%s is set by this hook, as Standard Webhooks says. Give the key of the signature as secret.", strings.ToLower(name))))
		case "Content-Type":
			contentType = c.Headers[key].Reveal()
		case "Host":
		default:
			h.hide = append(h.hide, c.Headers[key].Reveal())
		}
	}
	media, _, _ := mime.ParseMediaType(contentType)
	h.json = media == "application/json" || strings.HasSuffix(media, "+json")
	return diags
}

func (h *Hook) setKey(c config) hcl.Diagnostics {
	if c.Secret == "" {
		return hcl.Diagnostics{attr.Mistake(c.SecretRange, "Empty secret", "Leave secret out to send requests that are not signed.")}
	}
	encoded, ok := strings.CutPrefix(c.Secret.Reveal(), secretPrefix)
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || len(key) < 24 || len(key) > 64 {
		return hcl.Diagnostics{attr.Mistake(c.SecretRange, "Invalid secret",
			`The secret must be one of Standard Webhooks: "whsec_" and 24 to 64 random bytes in base64. This makes one: echo whsec_$(openssl rand -base64 32).`)}
	}
	h.key = key
	h.hide = append(h.hide, c.Secret.Reveal(), encoded)
	return nil
}

func (h *Hook) setBody(c config, ectx *hcl.EvalContext) hcl.Diagnostics {
	if c.Body == nil {
		h.body = defaultBody()
		return nil
	}
	at := c.Body.Expr.Range()
	v, diags := c.Body.Expr.Value(ectx)
	if diags.HasErrors() {
		return diags
	}
	v, err := convert.Convert(v, cty.String)
	if err != nil || v.IsNull() || !v.IsKnown() {
		return hcl.Diagnostics{attr.Mistake(at, "Invalid body", "The body must be a string: a template, such as \"{\\\"text\\\": {{json .Name}}}\".")}
	}
	h.hideLong(calls(c.Body.Expr, ectx))
	h.body, diags = hooks.DecodeTemplate(v.AsString(), at)
	if diags.HasErrors() || !h.json {
		return diags
	}
	if err := h.body.Try(isJSON); err != nil {
		return hcl.Diagnostics{attr.Mistake(at, "Invalid body", fmt.Sprintf(
			"The body must be JSON, whatever is filled in: %v. Write a value as {{json .Error}}, which brings its own quotes, or a text as {{printf \"%%s on %%s\" .Name .Hostname | json}}. For another format say so by a Content-Type in headers.", err))}
	}
	return nil
}

// calls returns what functions, env and file say, gave for an expression: such a part of a body may be a credential.
func calls(expr hcl.Expression, ectx *hcl.EvalContext) []string {
	node, ok := expr.(hclsyntax.Node)
	if !ok {
		return nil
	}
	var given []string
	_ = hclsyntax.VisitAll(node, func(n hclsyntax.Node) hcl.Diagnostics {
		if call, ok := n.(*hclsyntax.FunctionCallExpr); ok {
			if v, diags := call.Value(ectx); !diags.HasErrors() && v.Type() == cty.String && v.IsKnown() && !v.IsNull() {
				given = append(given, v.AsString())
			}
		}
		return nil
	})
	return given
}
