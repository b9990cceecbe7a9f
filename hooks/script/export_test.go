package script

import (
	"time"

	"github.com/dropship/dropship/hooks"
)

// SetGrace shortens the time between SIGTERM and SIGKILL, so that the tests of it are quick.
func SetGrace(h hooks.Hook, d time.Duration) { h.(*Hook).grace = d }
