// Package transport is how repositories reach servers over HTTP.
package transport

import (
	"net"
	"net/http"
	"time"
)

// patience is how long a server may take to accept a connection, and then to begin its answer. A body
// may take as long as it needs: who reads it watches for a stall.
const patience = 30 * time.Second

// New returns a transport for one repository, which the caller may still change.
func New() *http.Transport {
	t := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: patience}).DialContext,
		TLSHandshakeTimeout:   patience,
		ResponseHeaderTimeout: patience,
		IdleConnTimeout:       90 * time.Second,
		ForceAttemptHTTP2:     true,
	}
	DropSilent(t)
	return t
}

// DropSilent has t ask, on an HTTP/2 connection that has been silent for 10s, whether its peer is still
// there, and drop it if there is no answer within 5s. All requests to a server share that connection, so one
// that a load balancer or a firewall forgot would fail them all for as long as TCP takes to notice. HTTP/1
// needs none of it: there a request that fails takes its connection with it.
func DropSilent(t *http.Transport) {
	if t.HTTP2 == nil {
		t.HTTP2 = &http.HTTP2Config{}
	}
	t.HTTP2.SendPingTimeout = 10 * time.Second
	t.HTTP2.PingTimeout = 5 * time.Second
}
