package artifact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"
)

// ResumeOptions says how patient a download is. The zero value is right for the agent.
type ResumeOptions struct {
	// StallTimeout is after how long without a byte a connection counts as cut; default 60s.
	StallTimeout time.Duration
	// MinProgress is how many bytes, or the whole rest, a connection must bring within ProgressTimeout, or
	// it counts as cut too, since a trickle would hold up whoever waits for this download to end. Only the
	// wait for the repository counts, not the time that the reader takes. Default 64 KiB and 5m.
	MinProgress     int64
	ProgressTimeout time.Duration
	// Attempts is how many in a row may end before another MinProgress bytes have arrived; then the
	// download gives up, a trickle after about half an hour. Default 6.
	Attempts int
	// BaseDelay comes before the first attempt after progress; each failure doubles it, up to MaxDelay.
	// Default 500ms and 15s. A repository that asks for more by a *BusyError gets it, up to MaxRetryAfter.
	BaseDelay, MaxDelay time.Duration
	// Bandwidth, if not nil, is shared with other downloads. The wait for it is none for the repository.
	Bandwidth *Bandwidth
	// Connections, if not nil, shares connections with other downloads. It is told how many there are and how many would be
	// of use, and returns how many there may be from then on: at least one and those that there are. It is asked again
	// whenever one ends, and now and then while there are fewer than would be of use. Without it there may be all.
	Connections func(have, want int) int
	// Verified says that the caller checks the bytes against a checksum of the revision. Without that, those of several
	// connections are put together only where the revision surely tells them apart.
	Verified bool
	// OnResume, if not nil, is told of each new attempt before its delay, in the goroutine that reads.
	OnResume func(Resume)
}

// A Resume is one more attempt to get the rest of the bytes.
type Resume struct {
	Offset int64         // bytes that have arrived
	Delay  time.Duration // until the attempt
	Cause  error         // why the one before ended; it names the source
}

// resumingReader reads one revision through as many connections as it takes.
type resumingReader struct {
	ctx    context.Context // of the download; a Read has none of its own
	src    Source
	info   Info
	o      ResumeOptions
	offset int64

	conn     *connection   // nil between connections
	probe    *probe        // beside conn, while it is not known whether more are of use
	parts    *parts        // not nil while there are several connections
	kept     *connection   // the one before parts, until they have proven themselves
	keptAt   int64         // the offset that it has reached
	skip     int64         // bytes that conn has yet to bring and parts have brought
	pace     pace          // of conn
	alone    time.Time     // until then there is no other
	pause    time.Duration // that led there
	mark     int64         // the offset at the last progress: each o.MinProgress bytes further are some
	progress bool          // the current connection, or the one that just ended, has made some
	cause    error         // why the last connection ended
	failures int           // attempts in a row without progress
	final    error         // what every further Read returns
}

// NewResumingReader returns a reader of all bytes of info.Revision. Where a connection is cut, ends
// early or goes silent, it opens src again at the offset reached, so that no byte is fetched twice. It
// is the only retrying that a download needs. It opens src at the first Read.
//
// Where info.Ranges says that parts can be had, a long download that waits for one slow connection fetches up to 768 KiB
// over another, in vain and beside the first, to see whether two are clearly faster. Then it takes two in place of the
// first, up to four as long as each step makes it clearly faster, and fetches up to 2.5 MiB ahead, which are kept in
// memory. The first stays open until more have been faster. If they are not, or one of them breaks, it
// goes on, and the bytes that the others have brought are fetched over it once more. It is left alone for a minute then.
//
// Where info.Weak is set and o.Verified is not, what has been cut is not resumed: the error says so, and the caller begins
// anew.
//
// Read returns io.EOF only when all bytes have arrived. ErrChanged and ErrNotExist, a body longer
// than info.Size (*SizeError) and the end of ctx are final at once; any other failure is when
// o.Attempts are used up. The bytes are not verified here. The reader is not safe for concurrent use.
// The caller closes it, also before its end.
func NewResumingReader(ctx context.Context, src Source, info Info, o ResumeOptions) io.ReadCloser {
	if o.StallTimeout <= 0 {
		o.StallTimeout = 60 * time.Second
	}
	if o.MinProgress <= 0 {
		o.MinProgress = 64 << 10
	}
	if o.ProgressTimeout <= 0 {
		o.ProgressTimeout = 5 * time.Minute
	}
	if o.Attempts <= 0 {
		o.Attempts = 6
	}
	if o.BaseDelay <= 0 {
		o.BaseDelay = 500 * time.Millisecond
	}
	if o.MaxDelay <= 0 {
		o.MaxDelay = 15 * time.Second
	}
	if o.Bandwidth == nil {
		o.Bandwidth = new(Bandwidth)
	}
	return &resumingReader{ctx: ctx, src: src, info: info, o: o}
}

// Read implements io.Reader.
func (r *resumingReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for r.final == nil {
		if r.parts != nil {
			n := r.parts.read(p)
			if r.parts.proven {
				r.drop()
			}
			if n > 0 {
				r.advance(n)
				return n, nil
			}
			r.join()
			continue
		}
		if r.cause != nil {
			if r.final = r.wait(); r.final != nil {
				break
			}
		}
		n, err := r.attempt(p)
		r.advance(n)
		if err != nil {
			r.disconnect(err)
		}
		if r.info.Size >= 0 && r.offset > r.info.Size {
			r.disconnect(nil)
			r.final = &SizeError{Source: r.src.String(), Want: r.info.Size, Got: r.offset}
		}
		if r.conn != nil {
			r.consider()
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, r.final
}

func (r *resumingReader) advance(n int) {
	r.offset += int64(n)
	if r.offset-r.mark >= r.o.MinProgress {
		r.mark, r.failures, r.progress = r.offset, 0, true
	}
}

// attempt reads once, from a new connection if there is none.
func (r *resumingReader) attempt(p []byte) (int, error) {
	if r.conn == nil {
		r.conn = r.connect(r.ctx, r.offset, -1)
		r.pace, r.progress, r.skip = pace{}, false, 0
	}
	if r.skip > 0 {
		n, _, err := r.conn.read(p[:min(int64(len(p)), r.skip)])
		r.skip -= int64(n)
		return 0, err
	}
	n, waited, err := r.conn.read(p)
	r.pace.add(n, waited)
	return n, err
}

// connect makes a connection for length bytes from offset.
func (r *resumingReader) connect(ctx context.Context, offset, length int64) *connection {
	c := &connection{src: r.src, info: r.info, offset: offset, length: length, o: &r.o}
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	return c
}

// disconnect ends the current connection, and decides by err whether there may be another.
func (r *resumingReader) disconnect(err error) {
	if r.conn == nil {
		return
	}
	if r.probe != nil {
		r.probe.end()
		r.probe = nil
		r.connections(1, 1)
	}
	why := r.conn.close(err)
	r.conn, r.cause = nil, nil
	switch {
	case r.ctx.Err() != nil:
		r.final = fmt.Errorf("cannot read %s: %w", r.src, r.ctx.Err())
	case errors.Is(err, ErrChanged), errors.Is(err, ErrNotExist):
		r.final = err
	case r.offset == r.info.Size: // however it ended, nothing is left to fetch
		r.final = io.EOF
	case err == io.EOF && r.info.Size < 0: //nolint:errorlint // a wrapped io.EOF is a connection's end
		r.final = io.EOF
	case r.offset > 0 && r.info.Weak && !r.o.Verified:
		r.final = fmt.Errorf("cannot go on at byte %d: there is neither a strong ETag nor a checksum to tell whether the rest is of the same version: %w", r.offset, why)
	default:
		r.cause = why
	}
}

// consider looks whether more connections would be faster: first beside the one that there is.
func (r *resumingReader) consider() {
	switch {
	case r.probe != nil:
		p := r.probe
		over, faster := p.look(r.offset)
		if !over {
			return
		}
		p.end()
		r.probe = nil
		if faster {
			r.split(p.rate)
			return
		}
		r.connections(1, 1)
		r.leaveAlone()
	case r.info.Ranges && r.info.Size >= 0 && r.pace.whole:
		want := 1
		if r.pace.slow(r.info.Size-r.offset) && !time.Now().Before(r.alone) {
			want = 2
		}
		if r.connections(1, want) == 2 {
			r.probe = newProbe(r, r.pace)
		}
	}
}

// connections returns how many there may be, of which it says how many there are and would be of use.
func (r *resumingReader) connections(have, want int) int {
	if r.o.Connections == nil {
		return want
	}
	return r.o.Connections(have, want)
}

// leaveAlone has no more connections tried for a while.
func (r *resumingReader) leaveAlone() {
	r.pause = max(firstPause, 2*r.pause)
	r.alone = time.Now().Add(r.pause)
}

// split takes parts over several connections. The one that there is, which brought rate bytes a second, stays open
// meanwhile: it may be better than they are.
func (r *resumingReader) split(rate float64) {
	r.kept, r.keptAt, r.conn, r.progress = r.conn, r.offset, nil, false
	r.parts = newParts(r, rate)
}

// join goes back to one connection: to the one that was kept, if there is.
func (r *resumingReader) join() {
	g := r.parts
	g.close()
	r.parts, r.pace = nil, pace{}
	if g.proven {
		r.pause = 0
	}
	if !g.taken {
		r.leaveAlone()
	}
	switch {
	case r.ctx.Err() != nil:
		r.final = fmt.Errorf("cannot read %s: %w", r.src, r.ctx.Err())
	case r.offset == r.info.Size:
		r.final = io.EOF
	case r.kept != nil:
		r.conn, r.kept, r.skip = r.kept, nil, r.offset-r.keptAt
	case errors.Is(g.failure, ErrChanged), errors.Is(g.failure, ErrNotExist):
		// What one connection is told at once counts.
	default:
		r.cause = g.failure
	}
	r.drop()
}

// drop ends the connection that was kept.
func (r *resumingReader) drop() {
	if r.kept != nil {
		_ = r.kept.close(nil)
		r.kept = nil
	}
}

// wait lets the delay before the next attempt pass, or returns why there is none.
func (r *resumingReader) wait() error {
	if !r.progress {
		r.failures++
	}
	if r.failures >= r.o.Attempts {
		return fmt.Errorf("cannot get past byte %d in %d attempts: %w", r.offset, r.failures, r.cause)
	}
	delay := r.o.BaseDelay
	for range r.failures {
		delay = min(2*delay, r.o.MaxDelay)
	}
	delay = delay/2 + rand.N(delay/2+1) // a fleet that was cut at once must not come back at once
	delay = max(delay, RetryAfter(r.cause))
	if r.o.OnResume != nil {
		r.o.OnResume(Resume{Offset: r.offset, Delay: delay, Cause: r.cause})
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		r.cause = nil
		return nil
	case <-r.ctx.Done():
		return fmt.Errorf("cannot read %s: %w", r.src, r.ctx.Err())
	}
}

// Close ends all connections. It is safe before the end, and more than once.
func (r *resumingReader) Close() error {
	r.disconnect(nil)
	if r.parts != nil {
		r.parts.close()
		r.parts = nil
	}
	r.drop()
	r.final = fmt.Errorf("cannot read %s: %w", r.src, io.ErrClosedPipe)
	return nil
}
