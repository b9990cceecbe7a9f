package dropship

import (
	"encoding/json"
	"time"

	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/lock"
)

// EventType says what happened.
type EventType string

// What happens on a machine. Of one update the events come in this order: UpdateBegun; StepBegun and StepEnded in pairs,
// never two steps at once, with Progress, Waiting, HookBegun and HookEnded within them; UpdateEnded. The steps of a
// check come before, and without, an UpdateBegun: a check that finds nothing to install ends with Checked.
const (
	// Checked : a check ended with nothing to install, or could not be made. It has Outcome, or Err and Step; Hash (at
	// the destination), and Remote as far as the repository answered.
	Checked EventType = "checked"
	// UpdateBegun : there is something to install. It has Status, Hash (wanted; empty as long as it is not known),
	// PreviousHash, By, and Remote; Recovered, where it was another process that began it.
	UpdateBegun EventType = "update-begun"
	// StepBegun : a step of an update or a check. It has Step.
	StepBegun EventType = "step-begun"
	// StepEnded has Step, Took and Err.
	StepEnded EventType = "step-ended"
	// Progress : of the download and of unpacking it, when it begins and then a few times a second. It has Done, Total and
	// Unpacked.
	Progress EventType = "progress"
	// Waiting : for a slot, each time that the line ahead changed. It has Group and Ahead.
	Waiting EventType = "waiting"
	// HookBegun has Hook and Status.
	HookBegun EventType = "hook-begun"
	// HookEnded has Hook with its output, Status, Took and Err.
	HookEnded EventType = "hook-ended"
	// UpdateEnded has Outcome, Status, Hash and PreviousHash (at the destination now, and before), By, Took, and Err and
	// Step if it failed.
	UpdateEnded EventType = "update-ended"
	// Scheduled : the next check will be at Next, unless something happens before.
	Scheduled EventType = "scheduled"
	// Paused has By and Reason.
	Paused EventType = "paused"
	// Resumed has By; empty where the pause came to its own end.
	Resumed EventType = "resumed"
	// Retried : what failed may be tried again. It has By.
	Retried EventType = "retried"
	// Reloaded : the configuration; with Err it was rejected, and the old one stays in force. It is no service's.
	Reloaded EventType = "reloaded"
)

// An Event is one thing that happened while a machine kept its services up to date: what the event stream, the history,
// metrics and traces are made of. Not to be confused with hooks.Event, which is what hooks know of their update.
type Event struct {
	Time         time.Time     `json:"time"`
	Type         EventType     `json:"type"`
	Service      string        `json:"service,omitempty"` // empty: the agent
	UpdateID     string        `json:"update_id,omitempty"`
	Step         Step          `json:"step,omitempty"`
	Hook         *HookEvent    `json:"hook,omitempty"`
	Status       hooks.Status  `json:"status,omitempty"`
	Outcome      Outcome       `json:"outcome,omitempty"`
	Hash         string        `json:"hash,omitempty"` // md5 in hex
	PreviousHash string        `json:"previous_hash,omitempty"`
	Remote       *Remote       `json:"remote,omitempty"`
	Done         int64         `json:"done,omitempty"`     // bytes
	Total        int64         `json:"total,omitempty"`    // bytes; -1: not known
	Unpacked     int64         `json:"unpacked,omitempty"` // bytes of files
	Group        string        `json:"group,omitempty"`
	Ahead        []lock.Holder `json:"ahead,omitempty"` // who is ahead in line, holders first
	By           string        `json:"by,omitempty"`    // the person who asked for it, "user@host"; empty: the agent's own doing
	Reason       string        `json:"reason,omitempty"`
	Recovered    bool          `json:"recovered,omitempty"`
	Next         time.Time     `json:"next,omitzero"`
	Took         Seconds       `json:"took,omitzero"`
	Error        string        `json:"error,omitempty"` // the text of Err
	Err          error         `json:"-"`
}

// A HookEvent is the step of a chain that an event is about.
type HookEvent struct {
	Phase  hooks.Phase `json:"phase"`
	Index  int         `json:"index"` // position in its chain, from 0
	Name   string      `json:"name"`
	Output string      `json:"output,omitempty"` // the end of what it printed; see hooks.Output
}

// Remote is what a repository held when it was asked.
type Remote struct {
	Revision string `json:"revision"`
	Hash     string `json:"hash,omitempty"` // md5; empty where the repository does not know it
	Size     int64  `json:"size"`           // bytes; -1: not known
}

// Seconds is a duration that is written as a number of seconds.
type Seconds time.Duration

// MarshalJSON implements json.Marshaler.
func (s Seconds) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(s).Seconds()) }

// UnmarshalJSON implements json.Unmarshaler.
func (s *Seconds) UnmarshalJSON(b []byte) error {
	var f float64
	if err := json.Unmarshal(b, &f); err != nil {
		return err
	}
	*s = Seconds(f * float64(time.Second))
	return nil
}

// An Observer is told of everything that happens on a machine.
type Observer interface {
	// Observe is called by whoever does the work, while it waits: it must return at once, and may come from several
	// goroutines at the same time. Events of one service come one after the other, in order.
	Observe(e Event)
}

// Observe makes o an observer of the machine. It is called before anything happens there.
func (m *Machine) Observe(o Observer) { m.observers = append(m.observers, o) }

// emit tells the observers.
func (m *Machine) emit(e Event) {
	if len(m.observers) == 0 {
		return
	}
	e.Time = time.Now()
	if e.Err != nil {
		e.Error = e.Err.Error()
	}
	for _, o := range m.observers {
		o.Observe(e)
	}
}
