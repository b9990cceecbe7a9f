package artifact

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// A Bandwidth is how fast all downloads that share it are together. The zero value is no limit. Safe for concurrent use.
type Bandwidth struct {
	limiter atomic.Pointer[rate.Limiter] // nil: no limit
}

// Limit has the downloads bring at most so many bytes a second from now on; 0 is no limit. Whoever waits because of
// the old limit goes on waiting, for a fraction of a second.
func (b *Bandwidth) Limit(bytesPerSecond int64) {
	if bytesPerSecond <= 0 {
		b.limiter.Store(nil)
		return
	}
	if l := b.limiter.Load(); l == nil || l.Limit() != rate.Limit(bytesPerSecond) {
		b.limiter.Store(rate.NewLimiter(rate.Limit(bytesPerSecond), burst(bytesPerSecond)))
	}
}

// burst is what may come at once: so little that the rate is even and a wait is short, and so much that a timer which
// is late by a millisecond makes no difference.
func burst(bytesPerSecond int64) int { return int(max(1, min(bytesPerSecond/20, 1<<30))) }

// atOnce returns how much of n bytes to ask the network for: what was read is waited for afterwards.
func (b *Bandwidth) atOnce(n int) int {
	if l := b.limiter.Load(); l != nil {
		return min(n, l.Burst())
	}
	return n
}

// wait waits until n more bytes may have come, or ctx ends.
func (b *Bandwidth) wait(ctx context.Context, source string, n int) error {
	for n > 0 {
		l := b.limiter.Load()
		if l == nil {
			return nil
		}
		part := min(n, l.Burst()) // more than it where the limit was lowered since they were asked for
		now := time.Now()
		turn := l.ReserveN(now, part)
		if err := sleep(ctx, turn.DelayFrom(now)); err != nil {
			turn.Cancel()
			return fmt.Errorf("cannot read %s: %w", source, err)
		}
		n -= part
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
