package systemd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"

	sd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

// A place is where systemd is found.
type place struct {
	socket string // of systemd itself; open to root, needs no dbus-daemon
	booted string // a directory that is there if systemd is process 1
}

var standard = place{socket: "/run/systemd/private", booted: "/run/systemd/system"}

const (
	// connectWithin is how long a systemd that is there may be out of reach: it may be executing itself anew.
	connectWithin = 30 * time.Second
	// connectPause is the pause between two tries.
	connectPause = 100 * time.Millisecond
)

// A manager is systemd, over a connection that is made when it is needed, and made again when it breaks.
type manager struct {
	place
	conn *sd.Conn
	raw  *dbus.Conn // one of conn's own, for the calls that it has no method for
	end  context.CancelFunc
}

func (m *manager) close() {
	if m.conn == nil {
		return
	}
	m.conn.Close()
	m.end()
	m.conn = nil
}

// do makes a call, and makes it again, with a new connection, when the connection breaks. Every call that goes
// through it does no harm when it is made twice.
func (m *manager) do(ctx context.Context, call func(*sd.Conn) error) error {
	for {
		if err := m.connect(ctx); err != nil {
			return err
		}
		err := call(m.conn)
		if !isLost(err) || ctx.Err() != nil {
			return err
		}
		m.close()
		if err := sleep(ctx, connectPause); err != nil {
			return err
		}
	}
}

func (m *manager) connect(ctx context.Context) error {
	if m.conn != nil && m.conn.Connected() {
		return nil
	}
	m.close()
	for until := time.Now().Add(connectWithin); ; {
		err := m.dial(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if _, statErr := os.Stat(m.booted); statErr != nil {
			return fmt.Errorf("systemd does not run this machine (there is no %s): %w", m.booted, err)
		}
		if errors.Is(err, os.ErrPermission) || time.Now().After(until) {
			return err
		}
		if err := sleep(ctx, connectPause); err != nil {
			return err
		}
	}
}

// dial connects to systemd's own socket or, where that fails, to the system bus.
func (m *manager) dial(ctx context.Context) error {
	// A connection ends with the context that it was made with. This one must outlive ctx, to cancel a job then;
	// only while it is being made does it end with ctx, since neither call takes a context.
	alive, end := context.WithCancel(context.WithoutCancel(ctx))
	connecting := context.AfterFunc(ctx, end)
	conn, err := sd.NewConnection(func() (*dbus.Conn, error) { return m.keep(m.dialSocket(alive)) })
	if err != nil {
		var busErr error
		if conn, busErr = sd.NewConnection(func() (*dbus.Conn, error) { return m.keep(dialBus(alive)) }); busErr != nil {
			err = fmt.Errorf("cannot reach systemd, neither at %s: %w, nor over the system bus: %w", m.socket, err, busErr)
		} else {
			err = nil
		}
	}
	if !connecting() { // ctx has ended
		if err == nil {
			conn.Close()
		}
		return fmt.Errorf("no answer from systemd at %s: %w", m.socket, context.Cause(ctx))
	}
	if err != nil {
		end()
		return err
	}
	m.conn, m.end = conn, end
	return nil
}

// keep remembers a connection for the calls that go-systemd has no method for.
func (m *manager) keep(conn *dbus.Conn, err error) (*dbus.Conn, error) {
	m.raw = conn
	return conn, err
}

func (m *manager) dialSocket(ctx context.Context) (*dbus.Conn, error) {
	return authenticated(dbus.Dial("unix:path="+m.socket, dbus.WithContext(ctx)))
}

func dialBus(ctx context.Context) (*dbus.Conn, error) {
	conn, err := authenticated(dbus.SystemBusPrivate(dbus.WithContext(ctx)))
	if err != nil {
		return nil, err
	}
	if err := conn.Hello(); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// authenticated says who we are by number: the name would have to be looked up, and may not be there.
func authenticated(conn *dbus.Conn, err error) (*dbus.Conn, error) {
	if err != nil {
		return nil, err
	}
	if err := conn.Auth([]dbus.Auth{dbus.AuthExternal(strconv.Itoa(os.Geteuid()))}); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// isLost reports whether err is a broken connection, and no answer of systemd.
func isLost(err error) bool {
	var answer dbus.Error
	if errors.As(err, &answer) {
		switch answer.Name {
		case "org.freedesktop.DBus.Error.NoReply", "org.freedesktop.DBus.Error.Disconnected",
			"org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner":
			return true // by the bus, of a systemd that went away from it
		}
		return false
	}
	for _, broken := range []error{
		dbus.ErrClosed, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE,
	} {
		if errors.Is(err, broken) {
			return true
		}
	}
	return false
}

// reload has systemd read all unit files again, as `systemctl daemon-reload` does.
func (m *manager) reload(ctx context.Context) error {
	return m.do(ctx, func(c *sd.Conn) error { return refused(c.ReloadContext(ctx)) })
}

// resetFailed sets the count of a unit's starts, of which systemd allows only so many in a time, to zero.
func (m *manager) resetFailed(ctx context.Context, unit string) error {
	return m.do(ctx, func(c *sd.Conn) error {
		err := c.ResetFailedUnitContext(ctx, unit)
		var answer dbus.Error
		if errors.As(err, &answer) && answer.Name == noSuchUnit {
			return nil // not loaded at the moment, so nothing is counted
		}
		return refused(err)
	})
}

// unitOf returns the unit that a process belongs to, or "" if it belongs to none.
func (m *manager) unitOf(ctx context.Context, pid int) (string, error) {
	var unit string
	err := m.do(ctx, func(c *sd.Conn) error {
		var err error
		unit, err = c.GetUnitNameByPID(ctx, uint32(pid))
		var answer dbus.Error
		if errors.As(err, &answer) && !isLost(err) {
			return nil // of another namespace, or started by hand
		}
		return err
	})
	return unit, err
}
