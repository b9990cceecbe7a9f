package dropship

import (
	"slices"
	"sync"
	"time"

	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/lock"
)

// Activity is what is being done about a service at the moment.
type Activity struct {
	UpdateID     string        `json:"update_id,omitempty"` // empty: a check
	Status       hooks.Status  `json:"status,omitempty"`
	Hash         string        `json:"hash,omitempty"` // wanted; md5, empty as long as it is not known
	PreviousHash string        `json:"previous_hash,omitempty"`
	By           string        `json:"by,omitempty"`
	Since        time.Time     `json:"since"`
	Step         Step          `json:"step,omitempty"`
	StepSince    time.Time     `json:"step_since,omitzero"`
	Hook         *HookEvent    `json:"hook,omitempty"`
	Done         int64         `json:"done,omitempty"`  // bytes of the download
	Total        int64         `json:"total,omitempty"` // -1: not known
	Group        string        `json:"group,omitempty"`
	Ahead        []lock.Holder `json:"ahead,omitempty"`   // in line for the slot, holders first
	AheadAt      time.Time     `json:"ahead_at,omitzero"` // when they were

	stepEnded bool // the step is through, and the next has not begun
}

// A Check is what came of the last one that ended.
type Check struct {
	At      time.Time `json:"at"`
	Outcome Outcome   `json:"outcome,omitempty"`
	Step    Step      `json:"step,omitempty"` // that failed
	Error   string    `json:"error,omitempty"`
	// FailingSince is when the first check of those that failed in a row, up to this one, did.
	FailingSince time.Time `json:"failing_since,omitzero"`

	err   error
	since time.Time // when the first of those did that failed in a row for the same reason
}

// live is what an agent knows of a service and no file.
type live struct {
	activity *Activity
	check    *Check
	remote   *Remote
	seen     time.Time // when the repository held remote
	next     time.Time
}

// A tracker follows what an agent does. Safe for concurrent use.
type tracker struct {
	mu       sync.Mutex
	services map[string]*live
	rejected *Rejected
}

func newTracker() *tracker { return &tracker{services: make(map[string]*live)} }

// Observe implements Observer.
func (t *tracker) Observe(e Event) {
	if e.Service == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.services[e.Service]
	if l == nil {
		l = new(live)
		t.services[e.Service] = l
	}
	l.observe(e)
}

func (l *live) observe(e Event) {
	if e.Remote != nil {
		l.remote, l.seen = e.Remote, e.Time
	}
	if l.activity == nil {
		l.activity = &Activity{Since: e.Time}
	}
	a := l.activity
	switch e.Type {
	case UpdateBegun:
		a.UpdateID, a.Status, a.Hash, a.PreviousHash, a.By = e.UpdateID, e.Status, e.Hash, e.PreviousHash, e.By
	case StepBegun:
		a.Step, a.StepSince, a.stepEnded, a.Hook, a.Ahead, a.AheadAt = e.Step, e.Time, false, nil, nil, time.Time{}
		if e.Step == StepStage {
			a.Done, a.Total = 0, 0 // of an earlier download
		}
	case StepEnded:
		a.stepEnded = true
	case Progress:
		a.Done, a.Total = e.Done, e.Total
	case Waiting:
		a.Group, a.Ahead, a.AheadAt = e.Group, e.Ahead, e.Time
	case HookBegun:
		a.Hook = e.Hook
	case HookEnded:
		a.Hook = nil
	case Checked, UpdateEnded:
		l.activity = nil
		l.ended(e)
	case Scheduled:
		l.activity, l.next = nil, e.Next
	default:
		if a.Step == "" {
			l.activity = nil // nothing is being done
		}
	}
}

func (l *live) ended(e Event) {
	if e.Outcome == Abandoned {
		return
	}
	c := &Check{At: e.Time, Outcome: e.Outcome, Step: e.Step, Error: e.Error, err: e.Err}
	if e.Err != nil {
		c.FailingSince, c.since = e.Time, e.Time
		if last := l.check; last != nil && last.err != nil {
			c.FailingSince = last.FailingSince
			if last.code() == c.code() {
				c.since = last.since
			}
		}
	}
	l.check = c
}

// of returns what is known of a service.
func (t *tracker) of(name string) live {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.services[name]
	if l == nil {
		return live{}
	}
	known := *l
	if l.activity != nil {
		a := *l.activity
		a.Ahead = slices.Clone(a.Ahead)
		known.activity = &a
	}
	return known
}

// forget drops what is known of a service that is gone.
func (t *tracker) forget(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.services, name)
}

// waits reports whether an update waits for its slot.
func (t *tracker) waits(name string) bool {
	a := t.of(name).activity
	return a != nil && a.UpdateID != "" && a.Step == StepSlot
}

// committed reports whether there is an update whose hooks have begun: it will be completed.
func (t *tracker) committed(name string) bool {
	a := t.of(name).activity
	return a != nil && slices.Contains([]Step{StepBefore, StepSwitch, StepAfter, StepSettle}, a.Step)
}

// A Rejected is a configuration that was not taken.
type Rejected struct {
	At    time.Time `json:"at"`
	Error string    `json:"error"` // every mistake, with file, line and column
	// Files are those in which the mistakes are.
	Files []string `json:"files,omitempty"`
}

// Reject tells that a configuration was not taken, and why, or with nil that the last one was.
func (a *Agent) Reject(r *Rejected) {
	a.live.mu.Lock()
	a.live.rejected = r
	a.live.mu.Unlock()
	e := Event{Type: Reloaded}
	if r != nil {
		e.Err = rejectedError{r.Error}
	}
	a.m.emit(e)
}

type rejectedError struct{ text string }

func (e rejectedError) Error() string { return e.text }

// Rejected returns the configuration that was not taken, if that was the last one; else nil.
func (a *Agent) Rejected() *Rejected {
	a.live.mu.Lock()
	defer a.live.mu.Unlock()
	return a.live.rejected
}
