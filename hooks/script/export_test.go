package script

import (
	"time"

	"github.com/dropship/dropship/hooks"
)

// SetGrace changes the time between SIGTERM and SIGKILL: shorter, so that the tests of it are quick, or longer, so that
// nothing depends on it.
func SetGrace(h hooks.Hook, d time.Duration) { h.(*Hook).grace = d }
