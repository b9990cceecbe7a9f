package api

import "net"

// peer knows nobody: the rights of the socket's directory alone keep others away.
func peer(*net.UnixConn) (uid int, known bool, err error) { return 0, false, nil }
