package transport_test

import (
	"context"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dropship/dropship/artifact/internal/transport"
)

// A link is the way to a server. Each connection over it goes silent when it is told to, and stays up.
type link struct {
	conns chan net.Conn
	made  atomic.Int32
	last  *silent
}

func (l *link) Accept() (net.Conn, error) {
	c, ok := <-l.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (l *link) Close() error   { return nil }
func (l *link) Addr() net.Addr { return &net.TCPAddr{} }

func (l *link) dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	l.made.Add(1)
	l.last = &silent{Conn: near}
	l.conns <- far
	return l.last, nil
}

// A silent connection takes all that is written, and hands none of it on, once it is lost.
type silent struct {
	net.Conn
	lost atomic.Bool
}

func (c *silent) Write(p []byte) (int, error) {
	if c.lost.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// One connection goes silent, as when a load balancer was replaced; new ones work.
func TestSilentConnectionIsDropped(t *testing.T) {
	for name, idle := range map[string]time.Duration{
		"between two requests":      time.Minute,
		"right before the next one": 0,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var both http.Protocols
				both.SetUnencryptedHTTP2(true)
				l := &link{conns: make(chan net.Conn, 10)}
				server := &http.Server{Protocols: &both, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					if r.ProtoMajor != 2 {
						t.Errorf("got %s, want HTTP/2", r.Proto)
					}
				})}
				go func() { _ = server.Serve(l) }()
				defer func() { _ = server.Close() }()
				defer close(l.conns)
				tr := transport.New()
				tr.Proxy, tr.DialContext, tr.Protocols = nil, l.dial, &both
				defer tr.CloseIdleConnections()
				get := func() error {
					req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://example.com/", nil)
					if err != nil {
						t.Fatal(err)
					}
					resp, err := tr.RoundTrip(req)
					if err == nil {
						resp.Body.Close()
					}
					return err
				}
				if err := get(); err != nil {
					t.Fatal(err)
				}
				if err := get(); err != nil || l.made.Load() != 1 {
					t.Fatalf("got error %v and %d connections, want one for both requests", err, l.made.Load())
				}

				defer l.last.Close()
				l.last.lost.Store(true)
				time.Sleep(idle)
				_ = get() // one may fail
				if err := get(); err != nil {
					t.Errorf("the second request after the connection went silent: %v", err)
				}
				if n := l.made.Load(); n != 2 {
					t.Errorf("%d connections were made, want a second one", n)
				}
			})
		})
	}
}
