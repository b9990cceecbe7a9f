package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
)

// maxConnections bounds what clients can have open; further ones are closed at once.
const maxConnections = 128

// A Listener is the socket of an agent.
type Listener struct {
	*net.UnixListener
	path string
	lock *os.File
	open chan struct{} // an element for each connection
	once sync.Once
}

// Listen makes the socket at path, an absolute one, with mode 0600 whatever the umask. The socket of an agent that was
// killed is replaced; that of one that runs, or another file, is not. Its directory is made with mode 0700 where it is
// missing. A file PATH.lock stays there, with the process id of the agent that had the socket last; PATH.new is there
// for an instant.
func Listen(path string) (*Listener, error) {
	l, err := listen(path)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on the socket %s: %w", path, err)
	}
	return l, nil
}

func listen(path string) (*Listener, error) {
	if err := makeDir(filepath.Dir(path)); err != nil {
		return nil, err
	}
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return nil, err
	}
	l := &Listener{path: path, lock: lock, open: make(chan struct{}, maxConnections)}
	if err = l.replaceable(); err == nil {
		l.UnixListener, err = bind(path)
	}
	if err != nil {
		l.unlock()
		return nil, err
	}
	return l, nil
}

// lockFile makes this process the only one that has the socket. It cannot be told by connecting to it alone: two agents
// that start together would both find the socket of a dead one.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|noFollow, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Chmod(0o600); err != nil && runtime.GOOS != "windows" { // whatever the umask
		f.Close()
		return nil, fmt.Errorf("cannot open %s: %w", path, err)
	}
	if err := flock(f); err != nil {
		defer f.Close()
		if !errors.Is(err, errLocked) {
			return nil, fmt.Errorf("cannot lock %s: %w", path, err)
		}
		who := "another agent"
		if pid, err := io.ReadAll(io.LimitReader(f, 20)); err == nil && len(pid) > 0 {
			who += fmt.Sprintf(" (pid %s)", strings.TrimSpace(string(pid)))
		}
		return nil, fmt.Errorf("%s has it: stop that one, or give this one another socket", who)
	}
	// For the message above, and no more: it must not keep the agent from its start.
	if f.Truncate(0) == nil {
		fmt.Fprintln(f, os.Getpid())
	}
	return f, nil
}

// replaceable returns why what is at the path must stay.
func (l *Listener) replaceable() error {
	info, err := os.Lstat(l.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket && runtime.GOOS != "windows": // there it is an irregular file
		return fmt.Errorf("something else is there (%s): move it away, or set another socket", info.Mode())
	}
	c, err := new(net.Dialer).DialContext(context.Background(), "unix", l.path)
	if err != nil {
		return nil // nobody listens: the agent that had it was killed
	}
	c.Close()
	return errors.New("another program listens there: stop that one, or set another socket")
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return &net.UnixAddr{Name: l.path, Net: "unix"} }

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		c, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		select {
		case l.open <- struct{}{}:
			return &conn{UnixConn: c, forbidden: forbidden(c), leave: sync.OnceFunc(func() { <-l.open })}, nil
		default:
			_ = c.Close() // nothing was sent
		}
	}
}

// Close removes the socket, and ends Accept. Connections go on.
func (l *Listener) Close() error {
	err := net.ErrClosed
	l.once.Do(func() {
		err = os.Remove(l.path)
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		err = errors.Join(err, l.UnixListener.Close())
		l.unlock()
	})
	return err
}

func (l *Listener) unlock() {
	funlock(l.lock) // closing alone would wait for a child process that is being forked and holds a copy
	l.lock.Close()
}

// A conn knows who is at its other end.
type conn struct {
	*net.UnixConn
	forbidden error
	leave     func()
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.leave()
	return c.UnixConn.Close()
}

type peerKey struct{}

// withPeer is for http.Server.ConnContext.
func withPeer(ctx context.Context, c net.Conn) context.Context {
	if c, ok := c.(*conn); ok && c.forbidden != nil {
		return context.WithValue(ctx, peerKey{}, c.forbidden)
	}
	return ctx
}

// peerError returns why the other end of a request's connection may ask nothing.
func peerError(ctx context.Context) error {
	err, _ := ctx.Value(peerKey{}).(error)
	return err
}

// forbidden returns why the other end of a connection may ask nothing. The mode of the socket keeps others away; this
// does if somebody changes that.
func forbidden(c *net.UnixConn) error {
	uid, known, err := peer(c)
	switch {
	case err != nil:
		return &Error{Code: CodeForbidden, Message: fmt.Sprintf("permission denied: cannot tell who asks: %v", err)}
	case known && uid != 0 && uid != os.Geteuid():
		return &Error{Code: CodeForbidden, Message: fmt.Sprintf("permission denied: the agent answers root and the user that it runs as (uid %d), and uid %d asks", os.Geteuid(), uid)}
	}
	return nil
}
