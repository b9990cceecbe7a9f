package dropship

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
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

// reason finds it. s is the service, left what is still to be put in order, and unreadable why the state, or the pause,
// could not be read.
func reason(st Status, s *Service, left *Unfinished, rejected *Rejected, unreadable error) Reason {
	a, c := st.Activity, st.LastCheck
	switch {
	case a != nil && a.UpdateID != "" && !stillNoSlot(*a, c):
		return underWay(*a, s)
	case unreadable != nil:
		r := Reason{Code: ReasonState, Text: oneLine(unreadable), Remedy: "mend what the error names"}
		if c != nil && c.Step == StepState {
			r.Since = c.since
		}
		return r
	case rejected != nil && slices.Contains(rejected.Files, s.File):
		return rejected.reason()
	case st.Failed != nil:
		return st.failureReason()
	case left != nil:
		return left.reason()
	case st.Paused != nil && (c == nil || !c.fine()):
		return Reason{Code: ReasonPaused, Text: st.Paused.String(), Remedy: "dropship resume " + st.Name, Since: st.Paused.Since, Until: st.Paused.Until}
	case c == nil:
		r := Reason{Code: ReasonNotChecked, Text: "not checked yet, since the agent started", Remedy: "wait for the check, or dropship check " + st.Name}
		if a != nil {
			r.Text += ": " + doing(*a, s)
			r.Since = a.Since
		}
		return r
	case c.Outcome == Quarantine || c.Outcome == RolledBack:
		return st.quarantineReason()
	case c.Outcome == Failed:
		return st.failureReason()
	case c.err != nil:
		return st.trouble(s)
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
func underWay(a Activity, s *Service) Reason {
	switch {
	case a.Step == StepSlot && len(a.Ahead) > 0:
		return waiting(a)
	case a.Step == StepHold:
		return Reason{Code: ReasonUpToDate, Text: "up to date at " + a.Hash + ", and keeps its slot for a while, so that trouble shows before the next machine's turn", Since: a.StepSince}
	}
	return Reason{
		Code: ReasonUpdating, Text: fmt.Sprintf("%s %s is under way since %s: %s", a.Status, a.UpdateID, LocalTime(a.Since), doing(a, s)),
		Remedy: "wait for its end", Since: a.Since,
	}
}

// waiting is the reason of an update that waits for others.
func waiting(a Activity) Reason {
	first, stands := a.Ahead[0], "behind"
	if first.Holding {
		stands = "held by"
	}
	text := fmt.Sprintf("waiting for a slot of group %s for %s: %s %s", a.Group, time.Since(a.StepSince).Round(time.Second), stands, first)
	if !first.Since.IsZero() { // it could be read
		text += ", in line since " + LocalTime(first.Since)
	}
	if n := len(a.Ahead) - 1; n > 0 {
		text += fmt.Sprintf(", and %d more ahead", n)
	}
	if !a.AheadAt.IsZero() {
		text += ", as of " + LocalTime(a.AheadAt)
	}
	return Reason{Code: ReasonWaiting, Text: text, Remedy: "wait for its turn, or see to what " + first.Host + " is doing", Since: a.StepSince}
}

// doing says what a check or an update is at.
func doing(a Activity, s *Service) string {
	at := LocalTime(a.StepSince)
	switch {
	case a.Hook != nil:
		return fmt.Sprintf("step %s since %s, %s hook %d, %s", a.Step, at, a.Hook.Phase, a.Hook.Index+1, a.Hook.Name)
	case a.Step == StepCheck && !a.stepEnded:
		return fmt.Sprintf("asking for %s, since %s", s.Source, at)
	case a.Step == StepCheck && s.Shares(): // nothing else takes long then
		return fmt.Sprintf("asking %s what is quarantined for group %s, after a check at %s", s.Turn.Locker, s.Turn.Group, at)
	case a.Step == StepStage && a.Total == 0 && !a.stepEnded:
		return fmt.Sprintf("step stage since %s, its download has not begun: maxDownloads bounds how many come from one store at once", at)
	case a.Step == StepSlot && s.Turn != nil:
		return fmt.Sprintf("asking %s for a slot of group %s, since %s", s.Turn.Locker, s.Turn.Group, at)
	}
	return fmt.Sprintf("step %s since %s", a.Step, at)
}

// Why returns the reason of one service; of one that the agent does not keep, if that may be since the last
// configuration was rejected, else ErrUnknownService. Where the service waits for its turn, the lock service is asked who
// is ahead now, within ctx and a second, since who waits far back hears of that every few minutes only. If it does not
// say, that is told, and what is known as of when.
func (a *Agent) Why(ctx context.Context, name string) (Reason, error) {
	l, err := a.loop(name)
	if err != nil {
		return a.WhyUnknown(name)
	}
	st := a.status(l)
	if st.Reason.Code != ReasonWaiting {
		return st.Reason, nil
	}
	err = l.service.Turn.askAhead(ctx, st.Activity)
	r := underWay(*st.Activity, l.service)
	if err != nil {
		r.Text += "; who is ahead now is not known: " + oneLine(err)
		r.Remedy = mendLock
	}
	return r, nil
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
		Code: ReasonConfiguration, Text: "the configuration was rejected at " + LocalTime(r.At) + ", and the one before is in force: " + oneLine(errors.New(r.Error)),
		Remedy: "mend the file, and reload the agent", Since: r.At,
	}
}

func (left *Unfinished) reason() Reason {
	r := Reason{Code: ReasonUnfinished, Text: oneLine(outOfOrder(left)), Remedy: "mend what those hooks need: they are run again", Since: left.Update.Started}
	if left.Next.After(time.Now()) {
		r.Until = left.Next
		r.Text += " (run again at " + LocalTime(left.Next) + ")"
	} else {
		r.Text += " (run again at the next check)"
	}
	return r
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

// failureReason says of the last update that nothing undid it. The error begins with why: the rollback failed, or there
// was nothing to go back to.
func (st Status) failureReason() Reason {
	r := Reason{Code: ReasonFailed, Text: "the last update failed", Remedy: "look into it; then publish another artifact, or dropship retry " + st.Name}
	if f := st.Failed; f != nil {
		r.Text = fmt.Sprintf("the last update, to %s, failed at %s: %s", f.Hash, LocalTime(f.At), oneLine(errors.New(f.Error)))
		r.Since = f.At
	} else if st.LastCheck.Error != "" {
		r.Text += ": " + oneLine(errors.New(st.LastCheck.Error))
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
