// Package faultproxy breaks what networks and servers break, between a client under test and its real server: each
// answer as it is told to, or the link as a whole.
package faultproxy

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A Proxy stands on loopback between a client and its real server, notes every request, and breaks
// the answers it is told to. It passes the Host header and the escaped path on as they are, so that
// signed requests stay valid. Safe for concurrent use.
type Proxy struct {
	URL string // without a slash at the end
	*link

	server    *http.Server
	transport *http.Transport
	served    chan struct{} // closed when the server has ended
	answering atomic.Int64  // requests whose answers have not ended

	mu       sync.Mutex
	requests []*http.Request
	fault    Fault
	left     int
	only     func(*http.Request) bool
}

// Start starts a proxy to the server at target ("http://host:port"). It ends with the test.
func Start(t testing.TB, target string) *Proxy {
	t.Helper()
	return StartTLS(t, target, nil)
}

// StartTLS is Start of a proxy that shows its clients the certificate; nil: it speaks plain HTTP.
func StartTLS(t testing.TB, target string, certificate *tls.Certificate) *Proxy {
	t.Helper()
	p, err := New(target, certificate)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// New is StartTLS outside of tests. The caller closes the proxy.
func New(target string, certificate *tls.Certificate) (*Proxy, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, fmt.Errorf("cannot start a proxy to %q: %w", target, err)
	}
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("cannot start a proxy to %q: %w", target, err)
	}
	p := &Proxy{
		URL:       "http://" + l.Addr().String(),
		link:      &link{conns: make(map[*conn]bool)},
		transport: &http.Transport{DisableCompression: true}, // it would sign up for gzip on its own
		served:    make(chan struct{}),
	}
	p.server = &http.Server{
		Handler:           p.handler(u),
		ErrorLog:          log.New(io.Discard, "", 0),
		ReadHeaderTimeout: time.Minute,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			if t, ok := c.(*tls.Conn); ok {
				c = t.NetConn()
			}
			return context.WithValue(ctx, connKey{}, c)
		},
	}
	l = listener{l, p.link}
	if certificate != nil {
		p.URL = "https://" + l.Addr().String()
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{*certificate}, MinVersion: tls.VersionTLS12})
	}
	go func() {
		defer close(p.served)
		_ = p.server.Serve(l)
	}()
	return p, nil
}

// Close ends the proxy and every connection through it.
func (p *Proxy) Close() {
	p.Up() // ends flapping
	_ = p.server.Close()
	<-p.served
	p.cut() // also those that no server knows of
	p.transport.CloseIdleConnections()
}

func (p *Proxy) handler(target *url.URL) http.Handler {
	reverse := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = target.Scheme, target.Host
			r.Out.URL.RawQuery = r.In.URL.RawQuery
			r.Out.Host = r.In.Host
		},
		Transport:      p.transport,
		FlushInterval:  -1, // bytes before a cut must arrive
		ErrorLog:       log.New(io.Discard, "", 0),
		ModifyResponse: modify,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			if errors.Is(err, errCut) {
				panic(http.ErrAbortHandler)
			}
			http.Error(w, err.Error(), http.StatusBadGateway)
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.answering.Add(1)
		defer p.answering.Add(-1)
		fault := p.note(r)
		if fault.instead != nil {
			fault.instead(w, r)
			return
		}
		reverse.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), faultKey{}, fault)))
	})
}

// Break applies f to the next times answers (-1: until the next Break) to requests that only takes
// (nil: every GET). Times 0 ends the fault that is in force.
func (p *Proxy) Break(times int, f Fault, only func(*http.Request) bool) {
	if only == nil {
		only = func(r *http.Request) bool { return r.Method == http.MethodGet }
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault, p.left, p.only = f, times, only
}

// Heal ends the fault that is in force.
func (p *Proxy) Heal() { p.Break(0, Fault{}, nil) }

// All takes every request.
func All(*http.Request) bool { return true }

// Requests returns what came through so far, in order, without bodies.
func (p *Proxy) Requests() []*http.Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}

// Answering returns how many requests are being answered now. An answer that stalls ends when the client goes away.
func (p *Proxy) Answering() int { return int(p.answering.Load()) }

// Forget empties the list of requests and counts what is sent from 0 again.
func (p *Proxy) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests = nil
	p.sent.Store(0)
}

func (p *Proxy) note(r *http.Request) Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	note := r.Clone(context.Background())
	note.Body = nil
	p.requests = append(p.requests, note)
	if p.left == 0 || !p.only(r) {
		return Fault{}
	}
	if p.left > 0 {
		p.left--
	}
	return p.fault
}

// A request carries its fault, so that it cannot meet the answer to another one.
type faultKey struct{}

func modify(r *http.Response) error {
	if f, ok := r.Request.Context().Value(faultKey{}).(Fault); ok && f.apply != nil {
		return f.apply(r)
	}
	return nil
}
