package transport

import (
	"context"
	"net/http"
	"sync"
)

// AtOnce is how many requests that fetch no artifact a repository sends to one host at a time, and hence how many
// connections it needs for them: enough for a hundred checks a second of a server that takes 300ms to answer. An agent
// with a thousand services would open a thousand at its start otherwise, and there are servers that break down then.
const AtOnce = 32

// small marks the context of a request that fetches no artifact.
type small struct{}

// A Bounded sends no more than [AtOnce] requests at a time to one host, of those whose context is from [WithDeadline].
// That context covers the wait for others, too: if the server hangs, all of them fail in time. Downloads do not count
// and never wait, since there are few, and each takes long.
type Bounded struct {
	next http.RoundTripper

	mu    sync.Mutex
	hosts map[string]chan struct{} // each has an element for each request that is under way
}

// Bound returns a Bounded that sends by next. A repository has one for all its requests.
func Bound(next http.RoundTripper) *Bounded {
	return &Bounded{next: next, hosts: make(map[string]chan struct{})}
}

// RoundTrip implements http.RoundTripper.
func (b *Bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	if ctx.Value(small{}) == nil {
		return b.next.RoundTrip(req)
	}
	host := b.host(req.URL.Host)
	select {
	case host <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { <-host }()
	return b.next.RoundTrip(req)
}

func (b *Bounded) host(name string) chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.hosts[name] == nil {
		b.hosts[name] = make(chan struct{}, AtOnce)
	}
	return b.hosts[name]
}
