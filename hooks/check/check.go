// Package check is the hooks that look whether an application is healthy: http-check asks a URL,
// tcp-check makes a connection. In an after chain a check that fails rolls the update back.
//
//	after "http-check" {
//	  url       = "http://127.0.0.1:8080/health"
//	  successes = 3
//	  deadline  = "60s"
//	}
//	after "tcp-check" { address = "127.0.0.1:5432" }
//
// A check tries at once and then every interval, until as many tries in a row as successes says were healthy, or
// the deadline is over; then the last answer is in the error.
package check

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/dropship/dropship/dropship/secret"
	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/internal/answer"
)

// HTTP asks a URL.
type HTTP struct {
	poll
	url      *url.URL // without user and password
	user     *url.Userinfo
	method   string
	headers  map[string]secret.String
	status   int // 0: any 2xx
	contains string
	client   *http.Client
}

var (
	_ hooks.Hook      = (*HTTP)(nil)
	_ hooks.Timeouter = (*HTTP)(nil)
)

// String returns "http-check " and the URL.
func (h *HTTP) String() string { return "http-check " + secret.Redact(h.url) }

// Run asks until the answer is healthy often enough. It follows redirects.
func (h *HTTP) Run(ctx context.Context, _ hooks.Event) error { return h.run(ctx, h.ask) }

func (h *HTTP) ask(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, h.method, h.url.String(), nil)
	if err != nil {
		return answer.Cause(ctx, err)
	}
	req.Header.Set("User-Agent", "dropship")
	hide := []string{h.url.RawQuery}
	for key, value := range h.headers {
		req.Header.Set(key, value.Reveal())
		hide = append(hide, value.Reveal())
		if http.CanonicalHeaderKey(key) == "Host" {
			req.Host = value.Reveal()
		}
	}
	if h.user != nil {
		password, _ := h.user.Password()
		hide = append(hide, password, h.user.Username()+":"+password)
		req.SetBasicAuth(h.user.Username(), password)
	}
	resp, err := h.client.Do(req)
	if err != nil {
		return answer.Cause(ctx, err)
	}
	defer resp.Body.Close()
	a, err := answer.Read(resp, hide...)
	switch {
	case err != nil:
		return err
	case !h.fits(a.Code):
		return fmt.Errorf("%s", a)
	case !strings.Contains(a.Body, h.contains):
		return fmt.Errorf("%s, which does not contain %q", a, h.contains)
	}
	return nil
}

func (h *HTTP) fits(code int) bool {
	if h.status != 0 {
		return code == h.status
	}
	return code/100 == 2
}

// newClient returns a client that keeps no connection, so that each try shows whether the application takes new ones.
func newClient(headers map[string]secret.String) *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true
	return &http.Client{
		Transport: transport,
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if len(via) >= 10 {
				return fmt.Errorf("%d redirects", len(via))
			}
			req.Header.Del("Referer") // is a URL, whose query may be a credential
			if req.URL.Host != via[0].URL.Host {
				for key := range headers {
					req.Header.Del(key)
				}
			}
			return nil
		},
	}
}

// TCP makes connections.
type TCP struct {
	poll
	address string
}

var (
	_ hooks.Hook      = (*TCP)(nil)
	_ hooks.Timeouter = (*TCP)(nil)
)

// String returns "tcp-check " and the address.
func (h *TCP) String() string { return "tcp-check " + h.address }

// Run connects, and closes the connection at once, until that has worked often enough.
func (h *TCP) Run(ctx context.Context, _ hooks.Event) error { return h.run(ctx, h.connect) }

func (h *TCP) connect(ctx context.Context) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", h.address)
	if err != nil {
		return err
	}
	return conn.Close()
}
