package artifact

import (
	"context"
	"time"
)

const (
	// A probe is three times as long as a connection takes probeTime for, or as it took to open: a third of it to come up
	// to speed. It is within these bounds, since its bytes are fetched in vain.
	probeTime  = 50 * time.Millisecond
	leastProbe = 16 << 10 // a third
	mostProbe  = 256 << 10
	// What a probe takes beyond its bytes: to open a connection, and what a busy machine adds.
	probeSlack = time.Second
)

// A probe fetches a few bytes beside the connection of a download, which goes on meanwhile: only if both together are
// clearly faster is that one left alone for others. So it costs no more than its bytes where they are not.
type probe struct {
	cancel context.CancelFunc
	rate   float64 // bytes a second of the connection alone
	third  int64   // bytes
	// Of the probe: when it was up to speed, and when it had fetched the rest. Closed when it has ended.
	marks  chan time.Time
	warm   time.Time // the first one; zero: none has come
	from   time.Time // when that was noticed
	offset int64     // that the download had reached then
}

// newProbe begins one beside the connection of r, of which p is the pace.
func newProbe(r *resumingReader, p pace) *probe {
	q := &probe{rate: p.rate, marks: make(chan time.Time, 2)}
	q.third = int64(p.rate * max(probeTime, p.answer).Seconds())
	q.third = max(leastProbe, min(mostProbe, q.third, (r.info.Size-r.offset)/3))
	enough := time.Duration(2 * float64(3*q.third) / (clearly * q.rate) * float64(time.Second))
	ctx, cancel := context.WithTimeout(r.ctx, probeSlack+2*p.answer+enough)
	q.cancel = cancel
	c := r.connect(ctx, r.offset, 3*q.third)
	go func() {
		defer close(q.marks)
		var err error
		buffer := make([]byte, 64<<10)
		for got, mark := int64(0), q.third; err == nil && got <= c.length; { // to the end, so that its connection is used again
			var n int
			n, _, err = c.read(buffer[:min(int64(len(buffer)), max(mark-got, 1))])
			if got += int64(n); n > 0 && got == mark {
				q.marks <- time.Now()
				mark = c.length
			}
		}
		_ = c.close(err)
	}()
	return q
}

// look reports whether the probe is over, and whether two connections like it are clearly faster than the one beside it,
// which has reached an offset.
func (q *probe) look(offset int64) (over, faster bool) {
	for {
		select {
		case at, ok := <-q.marks:
			switch {
			case !ok:
				return true, false
			case q.warm.IsZero():
				q.warm, q.from, q.offset = at, time.Now(), offset
			default:
				return true, q.faster(at, offset)
			}
		default:
			return false, false
		}
	}
}

func (q *probe) faster(end time.Time, offset int64) bool {
	var beside float64 // at least
	if took := time.Since(q.from).Seconds(); took > 0 {
		beside = float64(offset-q.offset) / took
	}
	rate := float64(2*q.third) / max(end.Sub(q.warm).Seconds(), 1e-6)
	// The connection that there is will be closed: it counts for no more than the probe's.
	return rate+min(rate, beside) >= clearly*q.rate
}

// end ends the probe, and its connection.
func (q *probe) end() {
	q.cancel()
	for range q.marks { // until it is closed
	}
}
