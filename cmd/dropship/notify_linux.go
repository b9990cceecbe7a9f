package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// reloading carries the time that Type=notify-reload asks for: CLOCK_MONOTONIC in microseconds.
func reloading() string {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return "RELOADING=1"
	}
	return fmt.Sprintf("RELOADING=1\nMONOTONIC_USEC=%d", now.Nano()/1000)
}
