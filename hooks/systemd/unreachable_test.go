package systemd_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/hookstest"
	"github.com/dropship/dropship/hooks/systemd"
)

// elsewhere returns a hook that looks for systemd at socket, and for the system bus where there is none.
func elsewhere(t *testing.T, source, socket, booted string) hooks.Hook {
	t.Helper()
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus")
	return systemd.At(hookstest.New(t, systemd.Kind(), source).(*systemd.Hook), socket, booted)
}

func TestNoSystemd(t *testing.T) {
	h := elsewhere(t, `start = "web"`, "/nonexistent/private", "/nonexistent/system")
	err := h.Run(t.Context(), hooks.Event{})
	if err == nil || !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("got %v, want an error that is os.ErrNotExist", err)
	}
	for _, want := range []string{
		"cannot start web.service: systemd does not run this machine (there is no /nonexistent/system): ",
		"/nonexistent/private", "/nonexistent/bus",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q in it", err, want)
		}
	}
}

// TestSystemdThatIsNotThereYet has the socket vanish, as it may while systemd executes itself anew.
func TestSystemdThatIsNotThereYet(t *testing.T) {
	h := elsewhere(t, `start = "web"`, "/nonexistent/private", t.TempDir())
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	err := h.Run(ctx, hooks.Event{})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want it to try until its context ends", err)
	}
}

// hanging takes connections and never answers, as a process 1 that hangs does.
func hanging(t *testing.T) (socket string, underWay <-chan struct{}) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "private")
	l, err := new(net.ListenConfig).Listen(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	came, done := make(chan struct{}, 1), make(chan struct{})
	var conns []net.Conn
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns = append(conns, conn)
			select {
			case came <- struct{}{}:
			default:
			}
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
		for _, conn := range conns {
			conn.Close()
		}
	})
	return socket, came
}

func TestSystemdThatNeverAnswers(t *testing.T) {
	socket, underWay := hanging(t)
	h := elsewhere(t, `stop = "web"`, socket, t.TempDir())
	errCause := errors.New("the reason")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		<-underWay
		cancel(errCause)
	}()
	err := h.Run(ctx, hooks.Event{})
	if !errors.Is(err, errCause) || !strings.Contains(err.Error(), "no answer from systemd at "+socket) {
		t.Errorf("got %v, want the context's cause, and the socket", err)
	}
}
