package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"

	"golang.org/x/time/rate"
)

// A narrow way to a server on loopback passes on so many bytes a second over each connection, and over all of them.
// 0 is no limit. Requests pass at once.
type narrow struct{ each, total int }

// open starts it, and returns the server's URL through it, and what ends it.
func (n narrow) open(ctx context.Context, endpoint string) (url string, end func(), err error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("cannot open a narrow way to %s: %w", endpoint, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	r := &relay{target: strings.TrimPrefix(endpoint, "http://"), each: n.each, shared: limiter(n.total)}
	context.AfterFunc(ctx, func() { l.Close() })
	r.wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			r.wg.Go(func() { r.pass(ctx, conn) })
		}
	})
	return "http://" + l.Addr().String(), func() {
		cancel()
		r.wg.Wait()
	}, nil
}

type relay struct {
	target string
	each   int
	shared *rate.Limiter
	wg     sync.WaitGroup
}

func limiter(perSecond int) *rate.Limiter {
	if perSecond == 0 {
		return rate.NewLimiter(rate.Inf, 0)
	}
	return rate.NewLimiter(rate.Limit(perSecond), perSecond/50)
}

func (r *relay) pass(ctx context.Context, client net.Conn) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer client.Close()
	server, err := new(net.Dialer).DialContext(ctx, "tcp", r.target)
	if err != nil {
		return
	}
	defer server.Close()
	defer context.AfterFunc(ctx, func() {
		client.Close()
		server.Close()
	})()
	// What is on its way would count as sent, and be lost when a connection is given up: keep that as little as it is
	// on a real line.
	for _, conn := range []net.Conn{client, server} {
		tcp := conn.(*net.TCPConn)
		_ = tcp.SetReadBuffer(128 << 10)
		_ = tcp.SetWriteBuffer(128 << 10)
	}
	r.wg.Go(func() {
		defer cancel()
		_, _ = io.Copy(server, client)
	})
	own := limiter(r.each)
	p := make([]byte, 16<<10)
	for {
		got, err := server.Read(p)
		if got > 0 {
			if own.WaitN(ctx, got) != nil || r.shared.WaitN(ctx, got) != nil {
				return
			}
			if _, err := client.Write(p[:got]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
