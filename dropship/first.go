package dropship

import (
	"context"
	"time"
)

const (
	// firstAtOnce is how many services are at their first check at a time, as many as a repository sends requests for. Were
	// it all of a thousand, none would have its answer before each had read its state and signed a request.
	firstAtOnce = 32
	// firstWait is how long a service waits for others at the most: they may hang, or have something to install.
	firstWait = 100 * time.Millisecond
)

// firsts has an element for each service that is at its first check.
type firsts chan struct{}

// enter waits until a service may begin its first check; leave says that it is over.
func (f firsts) enter(ctx context.Context) (leave func()) {
	timer := time.NewTimer(firstWait)
	defer timer.Stop()
	select {
	case f <- struct{}{}:
		return func() { <-f }
	case <-timer.C:
	case <-ctx.Done():
	}
	return func() {}
}
