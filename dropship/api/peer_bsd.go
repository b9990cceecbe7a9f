//go:build darwin || freebsd

package api

import (
	"net"

	"golang.org/x/sys/unix"
)

// localSockets is SOL_LOCAL, which package unix has for one of the two.
const localSockets = 0

// peer returns the user at the other end.
func peer(c *net.UnixConn) (uid int, known bool, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, false, err
	}
	var cred *unix.Xucred
	var failed error
	err = raw.Control(func(fd uintptr) { cred, failed = unix.GetsockoptXucred(int(fd), localSockets, unix.LOCAL_PEERCRED) })
	if err == nil {
		err = failed
	}
	if err != nil {
		return 0, false, err
	}
	return int(cred.Uid), true, nil
}
