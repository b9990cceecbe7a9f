package hooks

import (
	"time"

	"github.com/hashicorp/hcl/v2"
)

// A Kind makes the hooks of one type and says what holds for them where the file says nothing:
// what puts a machine back in order and what checks it runs Always and Aborts; what announces runs on
// Success and Continues.
type Kind struct {
	Timeout time.Duration
	OnError OnError
	When    When
	// New decodes a hook's own attributes; timeout, onError and when are gone from body already.
	// It does no I/O; every mistake is a diagnostic at its place, all of them in one call.
	New func(body hcl.Body, ectx *hcl.EvalContext) (Hook, hcl.Diagnostics)
}

// A Timeouter is a hook that knows its own limit better than its Kind does: a check with a deadline.
type Timeouter interface {
	// DefaultTimeout is the step's timeout where the file has none.
	DefaultTimeout() time.Duration
}
