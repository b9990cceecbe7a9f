package artifact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"
)

// Why a connection is given up that its peer keeps open.
var (
	errStalled = errors.New("no byte arrived for too long")
	errTooSlow = errors.New("too few bytes arrived for too long")
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

	body     io.ReadCloser // nil between connections
	cancel   context.CancelCauseFunc
	conn     context.Context // of the current connection
	mark     int64           // the offset at the last progress: each o.MinProgress bytes further are some
	waited   time.Duration   // for bytes of the current connection, since its begin or the last progress
	progress bool            // the current connection, or the one that just ended, has made some
	cause    error           // why the last connection ended
	failures int             // attempts in a row without progress
	final    error           // what every further Read returns
}

// NewResumingReader returns a reader of all bytes of info.Revision. Where a connection is cut, ends
// early or goes silent, it opens src again at the offset reached, so that no byte is fetched twice. It
// is the only retrying that a download needs. It opens src at the first Read.
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
		if r.cause != nil {
			if r.final = r.wait(); r.final != nil {
				break
			}
		}
		n, err := r.attempt(p[:r.o.Bandwidth.atOnce(len(p))])
		r.offset += int64(n)
		if r.offset-r.mark >= r.o.MinProgress {
			r.mark, r.waited, r.failures, r.progress = r.offset, 0, 0, true
		}
		if err != nil {
			r.disconnect(err)
		}
		if r.info.Size >= 0 && r.offset > r.info.Size {
			r.disconnect(nil)
			r.final = &SizeError{Source: r.src.String(), Want: r.info.Size, Got: r.offset}
		}
		if n > 0 {
			if err := r.o.Bandwidth.wait(r.ctx, r.src.String(), n); err != nil {
				r.disconnect(err)
			}
			return n, nil
		}
	}
	return 0, r.final
}

// attempt reads once, from a new connection if there is none.
func (r *resumingReader) attempt(p []byte) (int, error) {
	if r.conn == nil {
		r.conn, r.cancel = context.WithCancelCause(r.ctx)
		r.waited, r.progress = 0, false
	}
	limit, reason := r.o.StallTimeout, errStalled
	if left := r.o.ProgressTimeout - r.waited; left < limit {
		limit, reason = left, errTooSlow
	}
	begin, cancel := time.Now(), r.cancel // a timer that is late must not end the connection after this one
	timer := time.AfterFunc(limit, func() { cancel(reason) })
	defer func() {
		timer.Stop()
		r.waited += time.Since(begin)
	}()
	if r.body == nil {
		body, err := r.src.Open(r.conn, r.info, r.offset, -1)
		if err != nil {
			return 0, err
		}
		r.body = body
	}
	return r.body.Read(p)
}

// disconnect ends the current connection, and decides by err whether there may be another.
func (r *resumingReader) disconnect(err error) {
	if r.conn == nil {
		return
	}
	reason := context.Cause(r.conn)
	r.cancel(nil)
	if r.body != nil {
		r.body.Close()
	}
	r.conn, r.body, r.cause = nil, nil, nil
	switch {
	case r.ctx.Err() != nil:
		r.final = fmt.Errorf("cannot read %s: %w", r.src, r.ctx.Err())
	case errors.Is(err, ErrChanged), errors.Is(err, ErrNotExist):
		r.final = err
	case r.offset == r.info.Size: // however it ended, nothing is left to fetch
		r.final = io.EOF
	case err == io.EOF && r.info.Size < 0: //nolint:errorlint // a wrapped io.EOF is a connection's end
		r.final = io.EOF
	case reason == errStalled: //nolint:errorlint // it is ours
		r.cause = fmt.Errorf("cannot read %s: %w (%s)", r.src, errStalled, r.o.StallTimeout)
	case reason == errTooSlow: //nolint:errorlint // it is ours
		r.cause = fmt.Errorf("cannot read %s: %w (less than %d in %s)", r.src, errTooSlow, r.o.MinProgress, r.o.ProgressTimeout)
	case errors.Is(err, io.EOF):
		r.cause = fmt.Errorf("cannot read %s: %w", r.src, io.ErrUnexpectedEOF)
	default:
		r.cause = err
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

// Close ends the connection. It is safe before the end, and more than once.
func (r *resumingReader) Close() error {
	r.disconnect(nil)
	r.final = fmt.Errorf("cannot read %s: %w", r.src, io.ErrClosedPipe)
	return nil
}
