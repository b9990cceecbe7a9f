package consul

import (
	"context"
	"time"

	"github.com/dropship/dropship/lock"
)

// A Locker gives turns through Consul sessions and keys, in order of arrival.
type Locker struct {
	connection Connection
	prefix     string
	ttl        time.Duration
	dial       dialer
	clock      clock
}

var _ lock.Locker = (*Locker)(nil)

// String returns the address and the prefix: "consul://127.0.0.1:8500/dropship/slots".
func (l *Locker) String() string {
	config, _ := l.connection.config()
	return "consul://" + bare(config.Address) + "/" + l.prefix
}

// Acquire implements lock.Locker. Every call has a client of its own, so that it sees certificates and
// token files as they are now, and no connection stays open between updates.
func (l *Locker) Acquire(ctx context.Context, req lock.Request) (lock.Lease, error) {
	if err := req.Validate(); err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	s, err := newStore(l.dial, l.connection, l.prefix, req.Group)
	if err != nil {
		return nil, err
	}
	p, err := join(ctx, s, req, l.ttl, l.clock)
	if err != nil {
		s.close()
		return nil, err
	}
	index, err := p.await(ctx, req.Waiting)
	if err != nil {
		// The context has often ended, and the place must not stand in others' way until it expires. If
		// this fails as well, it expires; the first error is the one to tell.
		_ = p.leave(context.WithoutCancel(ctx), leaveTimeout)
		s.close()
		return nil, err
	}
	return newLease(p, index), nil
}
