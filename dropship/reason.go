package dropship

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/install"
	"github.com/dropship/dropship/lock"
)

// ReasonCode is one of a few words that programs can go by.
type ReasonCode string

// Why a service is at what it is at.
const (
	ReasonUpToDate      ReasonCode = "up-to-date"
	ReasonUpdating      ReasonCode = "updating"
	ReasonWaiting       ReasonCode = "waiting-for-slot"
	ReasonPaused        ReasonCode = "paused"
	ReasonQuarantined   ReasonCode = "quarantined"
	ReasonFailed        ReasonCode = "failed"
	ReasonUnfinished    ReasonCode = "not-in-order"
	ReasonUnreachable   ReasonCode = "repository-unreachable"
	ReasonAbsent        ReasonCode = "artifact-absent"
	ReasonVerification  ReasonCode = "verification-failed"
	ReasonDiskFull      ReasonCode = "disk-full"
	ReasonLock          ReasonCode = "no-slot"
	ReasonBackingOff    ReasonCode = "backing-off"
	ReasonNotChecked    ReasonCode = "not-checked-yet"
	ReasonConfiguration ReasonCode = "configuration-rejected"
	ReasonBusy          ReasonCode = "busy"
	ReasonState         ReasonCode = "state-unreadable"
	ReasonCannotUpdate  ReasonCode = "cannot-update"
)

// A Reason is why a service is not at its repository's hash now, or that it is: one of them, the first that has to be
// seen to.
type Reason struct {
	Code   ReasonCode `json:"code"`
	Text   string     `json:"text"`             // one line
	Remedy string     `json:"remedy,omitempty"` // what would change it; one line
	Since  time.Time  `json:"since,omitzero"`
	Until  time.Time  `json:"until,omitzero"` // when it changes by itself
}

// reason finds it. file is where the service is configured, left what is still to be put in order, and unreadable why the state, or the pause, could not be read.
func reason(st Status, file string, left *Unfinished, rejected *Rejected, unreadable error) Reason {
	a, c := st.Activity, st.LastCheck
	switch {
	case a != nil && a.UpdateID != "":
		return underWay(*a)
	case unreadable != nil:
		return Reason{Code: ReasonState, Text: oneLine(unreadable), Remedy: "mend what the error names"}
	case rejected != nil && slices.Contains(rejected.Files, file):
		return rejected.reason()
	case st.Failed != nil:
		return st.failureReason()
	case left != nil:
		return Reason{Code: ReasonUnfinished, Text: oneLine(outOfOrder(left)), Remedy: "mend what those hooks need: they are run again", Since: left.Update.Started, Until: left.Next}
	case st.Paused != nil && (c == nil || !c.fine()):
		return Reason{Code: ReasonPaused, Text: st.Paused.String(), Remedy: "dropship resume " + st.Name, Since: st.Paused.Since, Until: st.Paused.Until}
	case c == nil:
		return Reason{Code: ReasonNotChecked, Text: "not checked yet, since the agent started", Remedy: "wait for the check, or dropship check " + st.Name}
	case c.Outcome == Quarantine || c.Outcome == RolledBack:
		return st.quarantineReason()
	case c.Outcome == Failed:
		return st.failureReason()
	case c.err != nil:
		return st.trouble()
	case c.Outcome == Held: // and the pause is over by now
		return Reason{Code: ReasonNotChecked, Text: "not checked since its pause ended", Remedy: "wait for the check, or dropship check " + st.Name}
	}
	text := "up to date"
	if st.Installed != nil && st.Installed.Hash != "" {
		text += " at " + st.Installed.Hash
	}
	if st.Paused != nil {
		text += ", and " + st.Paused.String()
	}
	return Reason{Code: ReasonUpToDate, Text: oneLine(errors.New(text)), Since: since(st.Installed)}
}

// fine reports whether the check found, or left, the service at its repository's hash.
func (c *Check) fine() bool {
	return c.err == nil && (c.Outcome == UpToDate || c.Outcome == Updated || c.Outcome == Recovered)
}

func since(in *Installed) time.Time {
	if in == nil {
		return time.Time{}
	}
	return in.At
}

// underWay is the reason while an update is.
func underWay(a Activity) Reason {
	if a.Step == StepSlot && len(a.Ahead) > 0 {
		holder := a.Ahead[0]
		text := fmt.Sprintf("waiting for a slot of group %s for %s: held by %s, since %s", a.Group,
			time.Since(a.StepSince).Round(time.Second), holder, holder.Since.UTC().Format(time.RFC3339))
		if n := len(a.Ahead) - 1; n > 0 {
			text += fmt.Sprintf(", and %d more ahead", n)
		}
		return Reason{Code: ReasonWaiting, Text: text, Remedy: "wait for its turn, or see to what " + holder.Host + " is doing", Since: a.StepSince}
	}
	if a.Step == StepHold {
		return Reason{Code: ReasonUpToDate, Text: "up to date at " + a.Hash + ", and keeps its slot for a while, so that trouble shows before the next machine's turn", Since: a.StepSince}
	}
	text := fmt.Sprintf("%s %s is under way: step %s", a.Status, a.UpdateID, a.Step)
	if a.Hook != nil {
		text += fmt.Sprintf(", %s hook %d, %s", a.Hook.Phase, a.Hook.Index+1, a.Hook.Name)
	}
	return Reason{Code: ReasonUpdating, Text: text, Remedy: "wait for its end", Since: a.Since}
}

// Why returns the reason of one service; of one that the agent does not keep, if that may be since the last
// configuration was rejected, else ErrUnknownService. Where the service waits for its turn, the lock service is asked who
// is ahead now, within ctx and a second, since who waits far back hears of that every few minutes only. If it does not
// say, what is known counts.
func (a *Agent) Why(ctx context.Context, name string) (Reason, error) {
	l, err := a.loop(name)
	if err != nil {
		return a.WhyUnknown(name)
	}
	st := a.status(l)
	if st.Reason.Code == ReasonWaiting {
		st.Activity.Ahead = ahead(ctx, l.service.Turn, *st.Activity)
		st.Reason = underWay(*st.Activity)
	}
	return st.Reason, nil
}

// WhyUnknown returns why a service that the agent does not keep may be missing, else ErrUnknownService.
func (a *Agent) WhyUnknown(name string) (Reason, error) {
	rejected := a.Rejected()
	if rejected == nil {
		return Reason{}, fmt.Errorf("%w: %q is not configured", ErrUnknownService, name)
	}
	r := rejected.reason()
	r.Text = "not configured: " + r.Text
	return r, nil
}

func (r *Rejected) reason() Reason {
	return Reason{
		Code: ReasonConfiguration, Text: "the configuration was rejected, and the one before is in force: " + oneLine(errors.New(r.Error)),
		Remedy: "mend the file, and reload the agent", Since: r.At,
	}
}

func (st Status) quarantineReason() Reason {
	r := Reason{Code: ReasonQuarantined, Text: "what the repository holds is quarantined", Remedy: "publish another artifact, or dropship retry " + st.Name}
	remote := ""
	if st.Repository != nil {
		remote = st.Repository.Hash
	}
	for _, q := range st.Quarantined {
		if q.Hash == remote || remote == "" { // the last one, where the repository knows no md5
			r.Text, r.Since = "quarantined: "+oneLine(errors.New(q.String())), q.Since
		}
	}
	return r
}

func (st Status) failureReason() Reason {
	r := Reason{Code: ReasonFailed, Text: "the last update failed, and could not be undone", Remedy: "look into it; then publish another artifact, or dropship retry " + st.Name}
	if st.Failed != nil {
		r.Text, r.Since = r.Text+": "+oneLine(errors.New(st.Failed.Error)), st.Failed.At
	} else if st.LastCheck.Error != "" {
		r.Text += ": " + oneLine(errors.New(st.LastCheck.Error))
	}
	return r
}

// trouble is the reason after a check or an update that failed.
func (st Status) trouble() Reason {
	c := st.LastCheck
	r := Reason{Code: ReasonCannotUpdate, Since: c.FailingSince, Until: st.NextCheck}
	held, heldBack := errors.AsType[*HeldBackError](c.err)
	if heldBack {
		r.Until = held.Until
	}
	_, wrong := errors.AsType[*artifact.ChecksumError](c.err)
	_, size := errors.AsType[*artifact.SizeError](c.err)
	_, space := errors.AsType[*install.SpaceError](c.err)
	_, empty := errors.AsType[emptyHandedError](c.err)
	prefix := ""
	switch {
	case errors.Is(c.err, ErrServiceBusy):
		r.Code, r.Remedy = ReasonBusy, "wait for that process, or end it"
	case wrong || size:
		r.Code, prefix, r.Remedy = ReasonVerification, "verification failed: ", "publish the artifact anew"
	case space || isOf(c.err, syscall.ENOSPC, syscall.EDQUOT):
		r.Code, prefix, r.Remedy = ReasonDiskFull, "disk full: ", "make room"
	case c.Step == StepCheck && errors.Is(c.err, artifact.ErrNotExist):
		r.Code, r.Remedy = ReasonAbsent, "publish the artifact, or mend its path in the configuration"
	case empty:
		return st.quarantineReason()
	case c.Step == StepCheck:
		r.Code, r.Remedy = ReasonUnreachable, "mend the repository, or the way to it"
		prefix = "repository unreachable since " + c.FailingSince.UTC().Format(time.RFC3339) + ": "
	case c.Step == StepSlot && !errors.Is(c.err, lock.ErrLost):
		r.Code, prefix, r.Remedy = ReasonLock, "no slot: ", "mend the lock service, or the way to it"
	case heldBack || c.Outcome == GivenUp:
		r.Code, r.Remedy = ReasonBackingOff, "mend what failed, and dropship retry "+st.Name+", or publish another artifact"
		prefix = "backing off until " + r.Until.UTC().Format(time.RFC3339) + ": "
	default:
		r.Remedy = "mend what failed"
		prefix = "cannot update: "
	}
	cause := c.err
	if step, ok := errors.AsType[*StepError](cause); ok {
		cause = step.Err
	}
	if heldBack {
		cause = held.Err
	}
	r.Text = prefix + oneLine(cause)
	if heldBack && r.Code != ReasonBackingOff {
		r.Text += fmt.Sprintf(" (tried again at %s)", held.Until.UTC().Format(time.RFC3339))
	}
	return r
}

// oneLine returns the text of an error as part of a line.
func oneLine(err error) string {
	var b strings.Builder
	for line := range strings.Lines(err.Error()) {
		if before := b.String(); before != "" && !strings.HasSuffix(before, ":") {
			b.WriteString(";") // errors that were joined
		}
		b.WriteString(" " + strings.TrimSpace(line))
	}
	text := strings.Join(strings.Fields(short(b.String())), " ")
	return cmp.Or(text, "no text")
}
