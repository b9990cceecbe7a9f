//go:build !linux

package consul

import "time"

var started = time.Now()

// uptime is a clock for differences, never set back or forth.
func uptime() time.Duration { return time.Since(started) }
