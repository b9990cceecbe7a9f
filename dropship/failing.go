package dropship

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/install"
	"github.com/dropship/dropship/lock"
)

// code says which reason a check, or an update, is that failed.
func (c *Check) code() ReasonCode {
	_, heldBack := errors.AsType[*HeldBackError](c.err)
	_, wrong := errors.AsType[*artifact.ChecksumError](c.err)
	_, size := errors.AsType[*artifact.SizeError](c.err)
	_, space := errors.AsType[*install.SpaceError](c.err)
	_, empty := errors.AsType[emptyHandedError](c.err)
	switch {
	case errors.Is(c.err, ErrServiceBusy):
		return ReasonBusy
	case wrong || size:
		return ReasonVerification
	case space || isOf(c.err, syscall.ENOSPC, syscall.EDQUOT):
		return ReasonDiskFull
	case c.Step == StepCheck && errors.Is(c.err, artifact.ErrNotExist):
		return ReasonAbsent
	case empty:
		return ReasonQuarantined
	case c.Step == StepCheck:
		return ReasonUnreachable
	case c.Step == StepSlot && !errors.Is(c.err, lock.ErrLost):
		return ReasonLock
	case heldBack || c.Outcome == GivenUp:
		return ReasonBackingOff
	default:
		return ReasonCannotUpdate
	}
}

// mendLock is what helps while the lock service does not answer.
const mendLock = "mend the lock service, or the way to it"

// troubles are what those reasons are called, and what helps.
var troubles = map[ReasonCode]struct{ what, remedy string }{
	ReasonBusy:         {"busy", "wait for that process, or end it"},
	ReasonVerification: {"verification failed", "publish the artifact anew"},
	ReasonDiskFull:     {"disk full", "make room"},
	ReasonAbsent:       {"artifact absent", "publish the artifact, or mend its path in the configuration"},
	ReasonUnreachable:  {"repository unreachable", "mend the repository, or the way to it"},
	ReasonLock:         {"no slot", mendLock},
	ReasonBackingOff:   {"failing", "mend what failed, and dropship retry %s, or publish another artifact"},
	ReasonCannotUpdate: {"cannot update", "mend what failed"},
}

// trouble is the reason after a check or an update that failed: what failed since when and why, and when it is tried
// again, or that it is just now.
func (st Status) trouble(s *Service) Reason {
	c := st.LastCheck
	code := c.code()
	if code == ReasonQuarantined {
		return st.quarantineReason()
	}
	t := troubles[code]
	cause := c.err
	if step, ok := errors.AsType[*StepError](cause); ok {
		cause = step.Err
	}
	r := Reason{Code: code, Since: c.since, Until: st.NextCheck, Remedy: t.remedy}
	held, heldBack := errors.AsType[*HeldBackError](cause)
	if heldBack {
		cause = held.Err
		if held.Until.After(r.Until) { // else at the first check after it
			r.Until = held.Until
		}
	}
	what, next := t.what+" since "+LocalTime(c.since), ""
	waits := heldBack && held.Until.After(time.Now()) // whatever check is under way
	switch {
	case st.Activity != nil && !waits:
		r.Until = time.Time{}
		next = " (trying again: " + doing(*st.Activity, s) + ")"
	case !r.Until.After(time.Now()):
		r.Until = time.Time{}
		next = " (tried again now)"
	case code == ReasonBackingOff:
		what = "backing off until " + LocalTime(r.Until) + ", " + what
	default:
		next = " (tried again at " + LocalTime(r.Until) + ")"
	}
	if code == ReasonBackingOff {
		r.Remedy = fmt.Sprintf(t.remedy, st.Name)
	}
	r.Text = what + ": " + oneLine(cause) + next
	return r
}

// stillNoSlot reports whether an update asks for a slot, and hears nothing, as the one before did in vain: that it is
// under way would say less.
func stillNoSlot(a Activity, last *Check) bool {
	return a.Step == StepSlot && len(a.Ahead) == 0 && last != nil && last.err != nil && last.code() == ReasonLock
}
