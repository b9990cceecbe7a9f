package artifact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// Why a connection is given up that its peer keeps open.
var (
	errStalled = errors.New("no byte arrived for too long")
	errTooSlow = errors.New("too few bytes arrived for too long")
)

// A connection is one Open and the reads of its body, given up where they take too long. It is used by one goroutine.
type connection struct {
	src            Source
	info           Info
	offset, length int64 // of Open
	o              *ResumeOptions

	ctx    context.Context // of this connection alone
	cancel context.CancelCauseFunc
	body   io.ReadCloser // nil before it is open
	fresh  int64         // bytes since the last progress
	waited time.Duration // for the repository, since the begin or the last progress
}

// read reads once from the body, which it opens at first, and then waits for its share of the bandwidth. It returns for
// how long it waited for the repository.
func (c *connection) read(p []byte) (n int, waited time.Duration, err error) {
	n, waited, err = c.attempt(p[:c.o.Bandwidth.atOnce(len(p))])
	c.waited += waited
	if c.fresh += int64(n); c.fresh >= c.o.MinProgress {
		c.fresh, c.waited = 0, 0
	}
	if berr := c.o.Bandwidth.wait(c.ctx, c.src.String(), n); berr != nil {
		err = berr
	}
	return n, waited, err
}

func (c *connection) attempt(p []byte) (n int, waited time.Duration, err error) {
	limit, reason := c.o.StallTimeout, errStalled
	if left := c.o.ProgressTimeout - c.waited; left < limit {
		limit, reason = left, errTooSlow
	}
	begin := time.Now()
	timer := time.AfterFunc(limit, func() { c.cancel(reason) })
	defer func() {
		timer.Stop()
		waited = time.Since(begin)
	}()
	if c.body == nil {
		body, err := c.src.Open(c.ctx, c.info, c.offset, c.length)
		if err != nil {
			return 0, 0, err
		}
		c.body = body
	}
	n, err = c.body.Read(p)
	return n, 0, err
}

// close ends the connection, and returns in words why it ended; err is that of the last read.
func (c *connection) close(err error) error {
	reason := context.Cause(c.ctx)
	c.cancel(nil)
	if c.body != nil {
		c.body.Close()
	}
	switch {
	case reason == errStalled: //nolint:errorlint // it is ours
		return fmt.Errorf("cannot read %s: %w (%s)", c.src, errStalled, c.o.StallTimeout)
	case reason == errTooSlow: //nolint:errorlint // it is ours
		return fmt.Errorf("cannot read %s: %w (less than %d in %s)", c.src, errTooSlow, c.o.MinProgress, c.o.ProgressTimeout)
	case errors.Is(err, io.EOF):
		return fmt.Errorf("cannot read %s: %w", c.src, io.ErrUnexpectedEOF)
	}
	return err
}
