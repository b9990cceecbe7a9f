package consul

import (
	"time"

	"golang.org/x/sys/unix"
)

var started = time.Now()

// uptime is a clock for differences. Unlike Go's own monotonic clock it goes on while the machine is
// suspended, as the clock of the Consul servers does: a lease must not survive a night in sleep.
func uptime() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return time.Since(started)
	}
	return time.Duration(ts.Nano())
}
