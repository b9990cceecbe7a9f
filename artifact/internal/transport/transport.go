// Package transport is how repositories reach servers over HTTP.
package transport

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

// How long a server may take. The body of an artifact may take as long as it needs: who reads it watches for a
// stall. These are variables for tests alone, which shorten them before they begin.
var (
	Connect = 10 * time.Second // to accept a connection, and then to agree on TLS
	Answer  = 30 * time.Second // from the end of the request to the end of the answer's headers
	Whole   = 60 * time.Second // for all of what is no artifact: with login, redirects and body
)

// New returns a transport for one repository, which the caller may still change.
func New() *http.Transport {
	t := &http.Transport{
		Proxy:           http.ProxyFromEnvironment,
		IdleConnTimeout: 90 * time.Second,
	}
	Limit(t)
	return t
}

// Limit has t give a server no more time than it may take.
func Limit(t *http.Transport) {
	t.DialContext = (&net.Dialer{Timeout: Connect}).DialContext
	t.TLSHandshakeTimeout = Connect
	t.ResponseHeaderTimeout = Answer
	t.ForceAttemptHTTP2 = true
	t.MaxIdleConns, t.MaxIdleConnsPerHost = 0, AtOnce // all of what a [Bounded] uses, and no limit to the hosts
	dropSilent(t)
}

// WithDeadline returns a context for the whole of a request that fetches no artifact. It is one of those that
// a [Bounded] sends a few of at a time.
func WithDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(context.WithValue(ctx, small{}, true), Whole, fmt.Errorf("there was no complete answer within %s", Whole))
}

// dropSilent has t ask, on an HTTP/2 connection that has been silent for 10s, whether its peer is still
// there, and drop it if there is no answer within 5s. All requests to a server share that connection, so one
// that a load balancer or a firewall forgot would fail them all for as long as TCP takes to notice. HTTP/1
// needs none of it: there a request that fails takes its connection with it.
func dropSilent(t *http.Transport) {
	if t.HTTP2 == nil {
		t.HTTP2 = &http.HTTP2Config{}
	}
	t.HTTP2.SendPingTimeout = 10 * time.Second
	t.HTTP2.PingTimeout = 5 * time.Second
}
