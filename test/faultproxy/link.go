package faultproxy

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A link is the way to a proxy: all connections to it.
type link struct {
	sent    atomic.Int64 // bytes to clients
	refused atomic.Int64 // connections

	mu    sync.Mutex
	state state
	conns map[*conn]bool
	flaps chan struct{} // closed to end flapping; nil: it does not
	ended chan struct{} // closed when flapping has ended
}

type state int

const (
	up    state = iota
	down        // each connection is reset
	muted       // each connection is accepted, and nothing comes of it
)

// Sent returns how many bytes were sent to clients, headers and all, since the start or the last Forget.
func (l *link) Sent() int64 { return l.sent.Load() }

// Refused returns how many connections came while the link was down or mute.
func (l *link) Refused() int { return int(l.refused.Load()) }

// Up lets connections through. That is the beginning.
func (l *link) Up() { l.become(up) }

// Down resets all connections, and each new one, until Up.
func (l *link) Down() { l.become(down) }

// Mute resets all connections, and accepts new ones without ever saying a word on them, until Up resets those.
func (l *link) Mute() { l.become(muted) }

// Flap has the link down and up by turns, until Up.
func (l *link) Flap(forUp, forDown time.Duration) {
	l.become(down)
	stop, ended := make(chan struct{}), make(chan struct{})
	l.mu.Lock()
	l.flaps, l.ended = stop, ended
	l.mu.Unlock()
	go func() {
		defer close(ended)
		for next, wait := up, forDown; ; {
			timer := time.NewTimer(wait)
			select {
			case <-timer.C:
			case <-stop:
				timer.Stop()
				return
			}
			l.set(next)
			if next == up {
				next, wait = down, forUp
			} else {
				next, wait = up, forDown
			}
		}
	}()
}

func (l *link) become(s state) {
	l.mu.Lock()
	stop, ended := l.flaps, l.ended
	l.flaps, l.ended = nil, nil
	l.mu.Unlock()
	if stop != nil {
		close(stop)
		<-ended
	}
	l.set(s)
}

// set changes the state. What was opened in another one is reset, except what was up and stays up.
func (l *link) set(s state) {
	l.mu.Lock()
	was := l.state
	l.state = s
	l.mu.Unlock()
	if was != s {
		l.cut()
	}
}

// cut resets all connections.
func (l *link) cut() {
	l.mu.Lock()
	conns := make([]*conn, 0, len(l.conns))
	for c := range l.conns {
		conns = append(conns, c)
	}
	l.mu.Unlock()
	for _, c := range conns {
		c.reset()
	}
}

// A listener gives the server of a proxy the connections that its link lets through.
type listener struct {
	net.Listener
	link *link
}

// Accept implements net.Listener.
func (l listener) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &conn{Conn: accepted, link: l.link}
		switch l.link.add(c) {
		case up:
			return c, nil
		case down:
			c.reset()
		}
	}
}

// add takes a new connection up and returns the state of the link.
func (l *link) add(c *conn) state {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns[c] = true
	if l.state != up {
		l.refused.Add(1)
	}
	return l.state
}

type conn struct {
	net.Conn
	link *link
}

type connKey struct{}

func (c *conn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.link.sent.Add(int64(n))
	return n, err
}

func (c *conn) Close() error {
	c.link.mu.Lock()
	delete(c.link.conns, c)
	c.link.mu.Unlock()
	return c.Conn.Close()
}

// reset closes the connection with a TCP reset.
func (c *conn) reset() {
	if t, ok := c.Conn.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	_ = c.Close()
}
