package systemd

import (
	"context"
	"errors"
	"fmt"
	"time"

	sd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

const (
	// askAfter is how often systemd is asked whether it still has the job: the signal that tells its end is
	// lost with a connection.
	askAfter = 500 * time.Millisecond
	// signalWithin is how often a job may be found to be over before its signal has come: 10 s.
	signalWithin = 20
	// cancelWithin is how long after the end of its context a job may still be made, and is cancelled.
	cancelWithin = 2 * time.Second
)

// The names of systemd's answers to a job that it does not take.
const (
	noSuchUnit       = "org.freedesktop.systemd1.NoSuchUnit"
	notApplicable    = "org.freedesktop.systemd1.JobTypeNotApplicable"
	onlyByDependency = "org.freedesktop.systemd1.OnlyByDependency"
	accessDenied     = "org.freedesktop.DBus.Error.AccessDenied"
	needsPassword    = "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
)

// runJob has systemd do a to the unit, and returns the result of its job: "done", "failed" and so on, or "" if the job
// is over and nobody was there to hear of its end. If ctx ends first the job is cancelled.
func runJob(ctx context.Context, m *manager, a action, unit string) (string, error) {
	// A job of which the answer has not come yet could not be cancelled, so that answer is waited for.
	late, end := outlive(ctx, cancelWithin)
	defer end()
	var id int
	results := make(chan string, 1)
	err := m.do(late, func(c *sd.Conn) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var err error
		// "replace": what is queued for the unit by now gives way, as to systemctl. Should the connection break before
		// the answer, the second job of the same kind is merged with a first that is not over.
		id, err = a.enqueue(late, c, unit, results)
		return refused(err)
	})
	if err != nil {
		return "", err
	}
	made := m.conn
	ask := time.NewTicker(askAfter)
	defer ask.Stop()
	for gone := 0; ; {
		select {
		case result := <-results:
			return result, nil
		case <-ask.C:
			pending, err := m.hasJob(ctx, id)
			if ctx.Err() != nil {
				continue // to cancel it
			}
			if err != nil {
				return "", err
			}
			if pending {
				continue
			}
			// On the connection that made the job the signal is on its way; no other one brings it.
			if gone++; m.conn != made || gone > signalWithin {
				return "", nil
			}
		case <-ctx.Done():
			m.cancelJob(late, id)
			return "", fmt.Errorf("its job %d in systemd was not over, and is cancelled: %w", id, context.Cause(ctx))
		}
	}
}

// outlive returns a context that ends d after ctx.
func outlive(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	late, end := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(d, end) })
	return late, func() {
		stop()
		end()
	}
}

func (a action) enqueue(ctx context.Context, c *sd.Conn, unit string, results chan<- string) (int, error) {
	const mode = "replace"
	switch a {
	case start:
		return c.StartUnitContext(ctx, unit, mode, results)
	case stop:
		return c.StopUnitContext(ctx, unit, mode, results)
	case restart:
		return c.RestartUnitContext(ctx, unit, mode, results)
	case reload:
		return c.ReloadUnitContext(ctx, unit, mode, results)
	default:
		return c.ReloadOrRestartUnitContext(ctx, unit, mode, results)
	}
}

func (m *manager) hasJob(ctx context.Context, id int) (bool, error) {
	var has bool
	err := m.do(ctx, func(c *sd.Conn) error {
		jobs, err := c.ListJobsContext(ctx)
		has = false
		for _, job := range jobs {
			has = has || int(job.Id) == id
		}
		return err
	})
	return has, err
}

// cancelJob cancels a job. That it cannot changes nothing: the caller has its error, and the job is over, or the next
// one for the unit replaces it.
func (m *manager) cancelJob(ctx context.Context, id int) {
	_ = m.do(ctx, func(*sd.Conn) error {
		systemd := m.raw.Object("org.freedesktop.systemd1", "/org/freedesktop/systemd1")
		return systemd.CallWithContext(ctx, "org.freedesktop.systemd1.Manager.CancelJob", 0, uint32(id)).Err
	})
}

// refused says what to do about an answer of systemd that is no.
func refused(err error) error {
	var answer dbus.Error
	if !errors.As(err, &answer) || isLost(err) {
		return err
	}
	const says = "systemd says %w"
	quoted := &answerError{answer}
	switch answer.Name {
	case notApplicable:
		return fmt.Errorf("its unit file has no ExecReload: use restart, or reloadOrRestart: "+says, quoted)
	case onlyByDependency:
		return fmt.Errorf("its unit file does not allow it by hand (RefuseManualStart, RefuseManualStop): "+says, quoted)
	case accessDenied, needsPassword:
		return fmt.Errorf("permission denied: dropship must run as root, or polkit must allow its user "+
			"org.freedesktop.systemd1.manage-units: "+says, quoted)
	default:
		return fmt.Errorf(says, quoted)
	}
}

// An answerError is an answer of systemd, quoted.
type answerError struct{ answer dbus.Error }

func (e *answerError) Error() string { return fmt.Sprintf("%q", e.answer.Error()) }

func (e *answerError) Unwrap() error { return e.answer }
