package dropship

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// An Outcome says how a call of Service.Update ended.
type Outcome string

const (
	// UpToDate : the repository holds what is installed.
	UpToDate Outcome = "up to date"
	// Updated : a new release is installed and all its hooks have run.
	Updated Outcome = "updated"
	// Quarantine : the repository holds a hash that failed, here or on another machine of the group; it is left alone.
	Quarantine Outcome = "quarantined"
	// Recovered : an update that was interrupted has been completed or undone; nothing else was looked at.
	Recovered Outcome = "recovered"
	// RolledBack : the new release failed and the previous one is back.
	RolledBack Outcome = "rolled back"
	// GivenUp : nothing was changed; the same update may be tried again.
	GivenUp Outcome = "given up"
	// Failed : the update could be neither completed nor undone; a person or a new hash must help.
	Failed Outcome = "failed"
	// Abandoned : nothing was changed, since the agent stops, the service was configured anew, or a person wants
	// something else of it first. Only events have it.
	Abandoned Outcome = "abandoned"
	// Held : there is something new, and a person paused the service; it is left alone.
	Held Outcome = "paused"
)

// A Result is what an update did.
type Result struct {
	Outcome      Outcome
	UpdateID     string
	Hash         string // at the destination now, md5 in hex; empty if unknown or nothing
	PreviousHash string // at the destination before
	Quarantined  string // for Quarantine: the hash that is left alone
	Host         string // for Quarantine: the machine where it failed
	Detail       string // for Quarantine: where, when and why it failed; for Held: since when, by whom and why
	Took         time.Duration
}

// A Step is a part of an update that can fail on its own.
type Step string

// The steps of an update, in order.
const (
	StepState    Step = "state"
	StepCheck    Step = "check"
	StepStage    Step = "stage"
	StepSlot     Step = "slot"
	StepBefore   Step = "before"
	StepSwitch   Step = "switch"
	StepAfter    Step = "after"
	StepRollback Step = "rollback"
	StepSettle   Step = "settle"
	StepHold     Step = "hold"
)

// A StepError is why an update did not come to its good end. Every error of Service.Update is one.
type StepError struct {
	Step Step
	Err  error
}

func (e *StepError) Error() string { return fmt.Sprintf("%s: %v", e.Step, e.Err) }

func (e *StepError) Unwrap() error { return e.Err }

// abandoned reports whether err is no more than that ctx has ended.
func abandoned(ctx context.Context, err error) bool {
	return ctx.Err() != nil && (err == nil || errors.Is(err, context.Cause(ctx)) || errors.Is(err, ctx.Err()))
}

// stepOf returns the step that failed, or nothing.
func stepOf(err error) Step {
	if e, ok := errors.AsType[*StepError](err); ok {
		return e.Step
	}
	return ""
}
