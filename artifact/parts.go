package artifact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

const (
	mostConnections = 4
	// A part is as long as a connection takes partTime for, within these bounds, so that the pause between two requests
	// on it hardly counts.
	partTime   = 2 * time.Second
	leastPart  = 16 << 10
	mostPart   = 512 << 10
	spareParts = 1 // that may wait for their turn while all connections go on
)

// parts is a download over several connections, each of which fetches a part after another. The bytes come out in
// order. It is used by one goroutine, that of the reader; each part is fetched in one of its own.
type parts struct {
	r      *resumingReader
	ctx    context.Context // of all connections
	cancel context.CancelFunc

	next    int64   // where the next part begins
	length  int64   // of it
	queue   []*part // asked for and not read out, in order
	since   time.Time
	running int        // parts that are being fetched
	ended   chan *part // holds those that no longer are
	whole   int        // parts that have ended well
	free    [][]byte

	speedup
	until    time.Time // it is to be proven
	stopping bool      // no further part is asked for
	taken    bool      // since others need the connections
	failure  error     // why a part did not come, and not since more connections are of no use
}

// A part is a range of the artifact's bytes.
type part struct {
	offset, length int64
	before         int    // parts that had ended well when it ended
	buffer, bytes  []byte // bytes is what has arrived, and was not read out, of a part that is done
	done           bool
	err            error // why there are no more; nil: they are all there
}

// newParts goes on at the offset of r, which no connection reads any more, with two connections. One brought rate bytes
// a second.
func newParts(r *resumingReader, rate float64) *parts {
	g := &parts{r: r, next: r.offset, ended: make(chan *part, mostConnections)}
	g.ctx, g.cancel = context.WithCancel(r.ctx)
	g.begin(rate)
	g.length = partLength(rate)
	// Each fetches a part to come up to speed and another to be measured, or more for as long as is measured.
	enough := time.Duration(4 * float64(g.length) / (clearly * rate) * float64(time.Second))
	g.until = time.Now().Add(probeSlack + speedupWindow + enough)
	return g
}

func partLength(rate float64) int64 {
	return int64(max(leastPart, min(mostPart, rate*partTime.Seconds())))
}

// read reads the bytes that come next. None means that there are no more, and that the parts are to be closed.
func (g *parts) read(p []byte) int {
	for {
		g.collect()
		g.ask()
		if len(g.queue) == 0 {
			return 0
		}
		first := g.queue[0]
		switch {
		case !first.done:
			g.wait()
		case len(first.bytes) > 0:
			n := copy(p, first.bytes)
			first.bytes = first.bytes[n:]
			return n
		case first.err != nil:
			g.fail(first)
			return 0
		default:
			g.free = append(g.free, first.buffer)
			g.queue, g.since = g.queue[1:], time.Now()
		}
	}
}

// collect takes note of the parts that have ended.
func (g *parts) collect() {
	for {
		select {
		case p := <-g.ended:
			g.end(p)
		default:
			return
		}
	}
}

// wait waits until a part has ended, but not for ever: a connection that a store has let in and leaves without an answer
// must not hold up the others. Whatever the reason, one connection is better then.
func (g *parts) wait() {
	until := g.since.Add(2*time.Second + 2*partTime)
	if !g.proven && g.until.Before(until) {
		until = g.until
	}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case p := <-g.ended:
		g.end(p)
	case <-timer.C:
		g.abandon()
	case <-g.ctx.Done():
		g.abandon()
	}
}

// abandon ends what is being fetched. What has arrived of it in order is still read out.
func (g *parts) abandon() {
	g.stopping = true
	g.cancel()
	for g.running > 0 {
		g.end(<-g.ended)
	}
}

func (g *parts) end(p *part) {
	p.done = true
	g.running--
	want := g.connections
	if g.stopping || g.next == g.r.info.Size {
		want = g.running
	}
	may := g.r.connections(max(g.running, 1), max(want, 1))
	if p.err != nil {
		p.before, g.stopping = g.whole, true
		return
	}
	g.whole++
	if g.ctx.Err() != nil || g.stopping {
		return
	}
	if may < g.connections {
		g.again() // it says nothing about so many
		return
	}
	connections := g.connections
	g.measure(g.arrived.Load(), g.r.info.Size-g.next)
	if g.connections > connections {
		g.length = partLength(g.rate / float64(connections))
	}
	g.stopping = g.connections < 2
}

// ask asks for as many parts as there are to be connections.
func (g *parts) ask() {
	for !g.stopping && g.running < g.connections && len(g.queue) < g.connections+spareParts && g.next < g.r.info.Size {
		may := g.r.connections(max(g.running, 1), g.connections)
		if may < 2 {
			g.stopping, g.taken = true, true
			return
		}
		if may <= g.running {
			return
		}
		p := &part{offset: g.next, length: min(g.length, g.r.info.Size-g.next)}
		if last := len(g.free) - 1; last >= 0 {
			p.buffer, g.free = g.free[last], g.free[:last]
		} else {
			p.buffer = make([]byte, mostPart+1) // one more, to see the end
		}
		if len(g.queue) == 0 {
			g.since = time.Now()
		}
		g.queue = append(g.queue, p)
		g.next += p.length
		g.running++
		go func() {
			g.fetch(p)
			g.ended <- p
		}()
	}
}

func (g *parts) fetch(p *part) {
	c := g.r.connect(g.ctx, p.offset, p.length)
	var err error
	for err == nil && int64(len(p.bytes)) <= p.length {
		var n int
		n, _, err = c.read(p.buffer[len(p.bytes) : p.length+1])
		p.bytes = p.buffer[:len(p.bytes)+n]
		g.arrived.Add(int64(n))
	}
	why := c.close(err)
	switch {
	case int64(len(p.bytes)) > p.length:
		p.err = fmt.Errorf("cannot read %s: more than %d bytes arrived from byte %d on", c.src, p.length, p.offset)
		p.bytes = nil
	case err != io.EOF || int64(len(p.bytes)) < p.length: //nolint:errorlint // a wrapped io.EOF is a connection's end
		p.err = why
	}
}

// fail keeps why p has no more bytes. While other connections bring theirs, a store that is busy is so for one of too
// many: it need not be left alone by all.
func (g *parts) fail(p *part) {
	if g.ctx.Err() != nil {
		return // it was abandoned
	}
	g.failure = p.err
	busy, ok := errors.AsType[*BusyError](p.err)
	for ok && g.running > 0 && g.whole == p.before {
		g.wait()
	}
	if ok && g.whole > p.before {
		g.failure = fmt.Errorf("cannot read %s over %d connections: %w", g.r.src, g.connections, busy.Err)
	}
}

// close ends all connections.
func (g *parts) close() {
	g.abandon()
	g.r.connections(1, 1)
}
