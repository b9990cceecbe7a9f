package api_test

import (
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// hungUp reports whether the other end has closed a connection from which nothing is read.
func hungUp(t *testing.T, raw syscall.RawConn) bool {
	t.Helper()
	var events int16
	err := raw.Control(func(fd uintptr) {
		p := []unix.PollFd{{Fd: int32(fd)}}
		if _, err := unix.Poll(p, 0); err == nil {
			events = p[0].Revents
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return events&unix.POLLHUP != 0
}
