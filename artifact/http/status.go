package http

import (
	"fmt"
	nethttp "net/http"
	"time"

	"github.com/dropship/dropship/artifact"
)

// A StatusError is an answer of the server that is neither the artifact nor its absence.
type StatusError struct {
	Status int // the HTTP status code
}

func (e *StatusError) Error() string {
	s := fmt.Sprintf("the server answers %d %s", e.Status, nethttp.StatusText(e.Status))
	switch e.Status {
	case nethttp.StatusUnauthorized, nethttp.StatusForbidden:
		return s + ": access denied, check user, password and headers of the repository"
	case nethttp.StatusProxyAuthRequired:
		return s + ": check the proxy's user and password in the environment"
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
	return artifact.Busy(&StatusError{resp.StatusCode}, resp.Header.Get("Retry-After"), now)
}
