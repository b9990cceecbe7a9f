package http

import (
	"fmt"
	nethttp "net/http"
	"strconv"
	"time"

	"github.com/dropship/dropship/artifact"
)

// A StatusError is an answer of the server that is neither the artifact nor its absence.
type StatusError struct {
	Status     int           // the HTTP status code
	RetryAfter time.Duration // for how long the server asks to be left alone; 0: it does not say
}

func (e *StatusError) Error() string {
	s := fmt.Sprintf("the server answers %d %s", e.Status, nethttp.StatusText(e.Status))
	switch {
	case e.Status == nethttp.StatusUnauthorized || e.Status == nethttp.StatusForbidden:
		return s + ": access denied, check user, password and headers of the repository"
	case e.Status == nethttp.StatusProxyAuthRequired:
		return s + ": check the proxy's user and password in the environment"
	case e.RetryAfter > 0:
		return fmt.Sprintf("%s, and asks to be left alone for %s", s, e.RetryAfter)
	}
	return s
}

// failure returns the error that the status of an answer means. now is when it arrived.
func failure(resp *nethttp.Response, now time.Time) error {
	switch resp.StatusCode {
	case nethttp.StatusNotFound, nethttp.StatusGone:
		return artifact.ErrNotExist
	case nethttp.StatusPreconditionFailed:
		return artifact.ErrChanged
	}
	return &StatusError{Status: resp.StatusCode, RetryAfter: retryAfter(resp.Header.Get("Retry-After"), now)}
}

// retryAfter parses the header of that name: seconds, or a date.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := nethttp.ParseTime(value); err == nil {
		return max(0, at.Sub(now).Round(time.Second))
	}
	return 0
}
