// Package hooks runs the steps around an install: the before and the after chain of a service.
//
// A Hook is one thing to do (run a script, ask a URL, mark a graph); a Step adds when it runs, how
// long it may take and what its failure means; a Chain is steps in the order of the file. One folder
// below this one holds each family of hooks. The suite in hookstest tests what the comments here promise.
package hooks

import (
	"context"
	"time"
)

// Status says what the chain is part of. It is data for templates and scripts, and decides When.
type Status string

const (
	// StatusUpdate : a new release is being installed, and nothing has failed so far.
	StatusUpdate Status = "update"
	// StatusRollback : the previous release is being put back.
	StatusRollback Status = "rollback"
	// StatusFailed : the update was given up; the chain runs to put the machine back in order.
	StatusFailed Status = "failed"
)

// Phase is the chain a hook runs in.
type Phase string

const (
	// Before is the chain ahead of the switch.
	Before Phase = "before"
	// After is the chain behind it.
	After Phase = "after"
)

// An Event is what hooks know of the update they run in: the data of their templates, and, as
// DROPSHIP_NAME, DROPSHIP_PREVIOUS_HASH …, the environment of scripts. It holds no credential.
type Event struct {
	Name         string // the service
	Hostname     string // this machine
	Hash         string // md5 of what is being installed, lower-case hex
	PreviousHash string // md5 of what was installed before; empty at a first install
	Phase        Phase
	Status       Status
	Error        string // what failed, where Status is not "update"
	Artifact     string // the source, "s3://bucket/key"
	Destination  string // absolute path
	UpdateID     string // the same in every hook, log line and record of one update
	// Started is when the update began. Templates and scripts get it in RFC 3339, in UTC, to the second.
	Started time.Time
}

// A Hook is one step around an install. Safe for concurrent use, and keeps nothing between runs:
// the same hook runs for every update.
type Hook interface {
	// String names the hook for logs, plans and errors: its kind and what it acts on
	// (`http-check http://127.0.0.1:8080/health`), never a credential.
	String() string
	// Run does it once, or retries as its documentation says, and returns nil only if it is done.
	// It returns soon after ctx is done, leaving no goroutine and no process behind that it started;
	// then errors.Is(err, context.Cause(ctx)) or errors.Is(err, ctx.Err()) holds.
	// Errors say what was attempted, on what, and carry the cause; they show no credential. A chain makes a
	// panic an error of the step.
	Run(ctx context.Context, ev Event) error
}

// A Ready hook can tell, before there is anything to install, that it cannot run on this machine. So nothing is
// downloaded, and nothing stopped, for an update that would fail.
type Ready interface {
	Hook
	// Ready returns why every Run would fail as things are, or nil. It does no I/O beyond looking at this machine.
	Ready() error
}

// OnError says what the failure of a step means for the update.
type OnError string

const (
	// Abort ends the chain: in before, the update is given up; in after, it is rolled back.
	Abort OnError = "abort"
	// Continue reports the failure and goes on.
	Continue OnError = "continue"
)

// When says for which Status a step runs.
type When string

const (
	// Always runs the step whatever the status.
	Always When = "always"
	// Success runs it while the update goes well (StatusUpdate).
	Success When = "success"
	// Failure runs it in a rollback and after a failure.
	Failure When = "failure"
)

// Fits reports whether a step with this When runs at that status.
func (w When) Fits(s Status) bool {
	switch w {
	case Success:
		return s == StatusUpdate
	case Failure:
		return s != StatusUpdate
	default:
		return true
	}
}

// A Step is a hook with its policy.
type Step struct {
	Hook
	Timeout time.Duration // for one Run; must be positive
	OnError OnError
	When    When
}
