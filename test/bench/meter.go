package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A meter stands before a server and counts what comes by: connections, bytes, and requests with their times. What
// it passes on it does not change. It is for requests without a body, as checks and downloads are.
type meter struct {
	listener net.Listener
	server   string // host:port

	conns, open   atomic.Int64 // made so far, and there now
	sent, fetched atomic.Int64 // bytes of requests and of answers

	mu       sync.Mutex
	requests []request
}

// A request is one that came by.
type request struct {
	at   time.Time
	what string        // "METHOD PATH"
	took time.Duration // until the answer began; 0: it has not
}

// newMeter returns a meter before the server at an address, until ctx ends.
func newMeter(ctx context.Context, server string) (*meter, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("cannot listen before the server %s: %w", server, err)
	}
	m := &meter{listener: l, server: server}
	context.AfterFunc(ctx, func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				go m.serve(ctx, conn)
			}
		}
	}()
	return m, nil
}

// address is where the meter listens, "host:port".
func (m *meter) address() string { return m.listener.Addr().String() }

func (m *meter) serve(ctx context.Context, client net.Conn) {
	defer client.Close()
	defer context.AfterFunc(ctx, func() { client.Close() })()
	m.conns.Add(1)
	m.open.Add(1)
	defer m.open.Add(-1)
	server, err := new(net.Dialer).DialContext(ctx, "tcp", m.server)
	if err != nil {
		return
	}
	defer server.Close()
	asked := make(chan int, 1) // the request that is not answered; a client sends no second one before
	go func() {
		defer client.Close()
		m.pass(client, server, asked)
	}()
	in := bufio.NewReader(client)
	for {
		head, err := readHead(in)
		if err != nil {
			return
		}
		m.sent.Add(int64(len(head)))
		asked <- m.saw(head)
		if _, err := server.Write(head); err != nil {
			return
		}
	}
}

// pass copies answers, and counts as it goes.
func (m *meter) pass(to, from net.Conn, asked <-chan int) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			m.fetched.Add(int64(n))
			select {
			case i := <-asked:
				m.answered(i)
			default: // more of an answer that began before
			}
		}
		if _, werr := to.Write(buf[:n]); werr != nil || err != nil {
			return
		}
	}
}

// readHead returns the next request: all lines up to an empty one.
func readHead(in *bufio.Reader) (head []byte, err error) {
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		head = append(head, line...)
		if len(line) <= 2 {
			return head, nil
		}
	}
}

// saw takes down a request, and returns its number.
func (m *meter) saw(head []byte) int {
	line, _, _ := strings.Cut(string(head), " HTTP/")
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests = append(m.requests, request{at: time.Now(), what: line})
	return len(m.requests) - 1
}

func (m *meter) answered(i int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests[i].took = time.Since(m.requests[i].at)
}

// since returns the requests from a time on.
func (m *meter) since(begin time.Time) []request {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, r := range m.requests {
		if !r.at.Before(begin) {
			return append([]request(nil), m.requests[i:]...)
		}
	}
	return nil
}
