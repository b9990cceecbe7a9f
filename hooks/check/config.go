package check

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"

	"github.com/dropship/dropship/dropship/secret"
	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/internal/attr"
)

// httpConfig is the inside of an http-check block. Nothing in it is a template.
type httpConfig struct {
	// URL (required) is what is asked: "http://127.0.0.1:8080/health", or https. A user and password in it
	// are used for basic authentication.
	URL      string    `hcl:"url"`
	URLRange hcl.Range `hcl:"url,attr_value_range"`

	// Method (default "GET") is the method of the request, which has no body.
	Method      *string   `hcl:"method"`
	MethodRange hcl.Range `hcl:"method,attr_value_range"`

	// Headers (default none) are added to the request; "Host" is the name asked for. The values may be
	// secrets: they are never printed, and not sent along when a redirect leads to another host.
	Headers      map[string]secret.String `hcl:"headers,optional"`
	HeadersRange hcl.Range                `hcl:"headers,attr_value_range"`

	// Status (default any 2xx) is the one status code that is healthy, 100 to 599.
	Status      *int      `hcl:"status"`
	StatusRange hcl.Range `hcl:"status,attr_value_range"`

	// Contains (default "", which is in everything) must be in the first MiB of the answer's body.
	Contains string `hcl:"contains,optional"`

	Timing timing `hcl:",remain"`
}

// tcpConfig is the inside of a tcp-check block. Nothing in it is a template.
type tcpConfig struct {
	// Address (required) is "host:port"; an IPv6 address is in brackets. It is healthy when it takes connections.
	Address      string    `hcl:"address"`
	AddressRange hcl.Range `hcl:"address,attr_value_range"`

	Timing timing `hcl:",remain"`
}

const defaultTimeout = 90 * time.Second // of the step; a check says better, by DefaultTimeout

// HTTPKind makes http-check hooks. Checks always run, and abort: an application that does not answer is
// what a rollback is for.
func HTTPKind() hooks.Kind {
	return hooks.Kind{Timeout: defaultTimeout, OnError: hooks.Abort, When: hooks.Always, New: decodeHTTP}
}

// TCPKind makes tcp-check hooks, with the policy of http-check.
func TCPKind() hooks.Kind {
	return hooks.Kind{Timeout: defaultTimeout, OnError: hooks.Abort, When: hooks.Always, New: decodeTCP}
}

func decodeHTTP(body hcl.Body, ectx *hcl.EvalContext) (hooks.Hook, hcl.Diagnostics) {
	var c httpConfig
	diags := gohcl.DecodeBody(body, ectx, &c)
	h := &HTTP{method: http.MethodGet, headers: c.Headers, contains: c.Contains, client: newClient(c.Headers)}

	if attr.Decoded(diags, c.URLRange) {
		diags = append(diags, h.setURL(c)...)
	}
	if c.Method != nil {
		h.method = *c.Method
		if !attr.IsToken(h.method) {
			diags = append(diags, attr.Mistake(c.MethodRange, "Invalid method",
				fmt.Sprintf("%q cannot be the method of a request, such as GET or HEAD.", h.method)))
		}
	}
	if c.Status != nil {
		h.status = *c.Status
		if h.status < 100 || h.status > 599 {
			diags = append(diags, attr.Mistake(c.StatusRange, "Invalid status",
				fmt.Sprintf("A status code is between 100 and 599, so no answer will ever have %d. Without status every 2xx is healthy.", h.status)))
		}
	}
	diags = append(diags, attr.Headers(c.Headers, c.HeadersRange)...)

	var more hcl.Diagnostics
	h.poll, more = c.Timing.decode(diags)
	diags = append(diags, more...)
	if diags.HasErrors() {
		return nil, diags
	}
	return h, diags
}

func (h *HTTP) setURL(c httpConfig) hcl.Diagnostics {
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return hcl.Diagnostics{attr.Mistake(c.URLRange, "Invalid url",
			`The url must be an address beginning with http:// or https://, such as "http://127.0.0.1:8080/health".`)}
	}
	h.url, h.user, u.User = u, u.User, nil
	return nil
}

func decodeTCP(body hcl.Body, ectx *hcl.EvalContext) (hooks.Hook, hcl.Diagnostics) {
	var c tcpConfig
	diags := gohcl.DecodeBody(body, ectx, &c)
	h := &TCP{address: c.Address}
	if attr.Decoded(diags, c.AddressRange) && !isAddress(c.Address) {
		diags = append(diags, attr.Mistake(c.AddressRange, "Invalid address",
			`The address must be a host and a port, such as "127.0.0.1:5432" or "[::1]:5432".`))
	}
	var more hcl.Diagnostics
	h.poll, more = c.Timing.decode(diags)
	diags = append(diags, more...)
	if diags.HasErrors() {
		return nil, diags
	}
	return h, diags
}

func isAddress(s string) bool {
	host, port, err := net.SplitHostPort(s)
	if err != nil || host == "" {
		return false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}
