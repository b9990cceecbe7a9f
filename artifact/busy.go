package artifact

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// MaxRetryAfter bounds for how long a repository is left alone at its own wish. Some say a year, and mean a proxy.
const MaxRetryAfter = 5 * time.Minute

// A BusyError is an answer that asks to be left alone for a while, such as 429 or 503 with Retry-After.
type BusyError struct {
	Err   error
	After time.Duration // as the repository says it, which may be more than MaxRetryAfter
}

func (e *BusyError) Error() string {
	return fmt.Sprintf("%v, and asks to be left alone for %s", e.Err, e.After)
}

func (e *BusyError) Unwrap() error { return e.Err }

// Busy returns err, which an answer meant that came now, as a *BusyError if the answer's Retry-After says for how
// long, in seconds or as a date; else as it is. What is in the past or cannot be understood says nothing.
func Busy(err error, retryAfter string, now time.Time) error {
	const longest = 100 * 365 * 24 * time.Hour // a Duration holds three times that
	var after time.Duration
	if seconds, perr := strconv.ParseUint(retryAfter, 10, 64); perr == nil || errors.Is(perr, strconv.ErrRange) {
		after = time.Duration(min(seconds, uint64(longest/time.Second))) * time.Second
	} else if at, perr := http.ParseTime(retryAfter); perr == nil {
		after = min(at.Sub(now).Round(time.Second), longest)
	}
	if after <= 0 {
		return err
	}
	return &BusyError{Err: err, After: after}
}

// RetryAfter returns how long to wait after err at the repository's wish: at most MaxRetryAfter and a tenth, 0 if err
// says nothing about it. Up to a tenth is chance: a fleet that was told one time must not come back at one time.
func RetryAfter(err error) time.Duration {
	busy, ok := errors.AsType[*BusyError](err)
	if !ok {
		return 0
	}
	after := min(busy.After, MaxRetryAfter)
	return after + rand.N(after/10+1)
}
