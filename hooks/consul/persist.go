package consul

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/hashicorp/consul/api"
)

const (
	// tryTimeout bounds one try, so that an answer that never comes is not the only try. Consul itself
	// holds a request back for up to 7 s while its servers elect a leader.
	tryTimeout = 10 * time.Second
	// The pause after a try that failed doubles between these two.
	firstPause = 500 * time.Millisecond
	lastPause  = 2 * time.Second
)

// persist repeats try until it succeeds, is refused, or ctx ends: then the error has ctx's cause and the last
// failure that was not the end of ctx itself.
func persist(ctx context.Context, try func(context.Context) error) error {
	var last error
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		err := once(ctx, try)
		if err == nil || isRefusal(err) {
			return err
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		if sleep(ctx, pause) {
			continue
		}
		if cause := context.Cause(ctx); !errors.Is(last, cause) {
			last = fmt.Errorf("%w: %w", cause, last)
		}
		return last
	}
}

func once(ctx context.Context, try func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, tryTimeout, fmt.Errorf("no answer within %s", tryTimeout))
	defer cancel()
	return try(ctx)
}

// isRefusal reports whether Consul understood and said no, so that asking again changes nothing.
func isRefusal(err error) bool {
	var status api.StatusError
	return errors.As(err, &status) && status.Code >= 400 && status.Code < 500 && status.Code != http.StatusTooManyRequests
}

// sleep waits for d and reports whether it did: false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
