package api

import (
	"fmt"
	"time"

	"github.com/dropship/dropship/dropship"
)

// Agent is the process that answers.
type Agent struct {
	Version  string    `json:"version"`
	PID      int       `json:"pid"`
	Hostname string    `json:"hostname"`
	Started  time.Time `json:"started"`
	Config   string    `json:"config"`   // path of the file or directory
	Services []string  `json:"services"` // their names, sorted
	// Rejected is the last configuration, if that was not taken: the one before is in force.
	Rejected *dropship.Rejected `json:"rejected,omitempty"`
}

// The answers that are no type of package dropship. Lists stand in an object, so that something can be added beside them.
type (
	statusesReply struct {
		Services []dropship.Status `json:"services"`
	}
	historyReply struct {
		History []dropship.Record `json:"history"`
	}
	releasesReply struct {
		Releases []dropship.Kept `json:"releases"`
	}
	retryReply struct {
		Quarantined []dropship.Quarantined `json:"quarantined"`
	}
	pauseReply struct {
		Updating bool `json:"updating"`
	}
	resumeReply struct {
		Paused *dropship.Pause `json:"paused"`
	}
)

// rollbackReply is a dropship.Result of a rollback.
type rollbackReply struct {
	Outcome      dropship.Outcome `json:"outcome,omitempty"` // empty: failed before it had one
	UpdateID     string           `json:"update_id,omitempty"`
	Hash         string           `json:"hash,omitempty"`
	PreviousHash string           `json:"previous_hash,omitempty"`
	Took         dropship.Seconds `json:"took"`
}

func replyOf(r dropship.Result) rollbackReply {
	return rollbackReply{r.Outcome, r.UpdateID, r.Hash, r.PreviousHash, dropship.Seconds(r.Took)}
}

func (r rollbackReply) result() dropship.Result {
	return dropship.Result{Outcome: r.Outcome, UpdateID: r.UpdateID, Hash: r.Hash, PreviousHash: r.PreviousHash, Took: time.Duration(r.Took)}
}

// The bodies of requests.
type (
	checkRequest    struct{}
	rollbackRequest struct {
		To     string `json:"to,omitempty"`
		By     string `json:"by"`
		Reason string `json:"reason,omitempty"`
	}
	byRequest struct { // of retry and resume
		By string `json:"by"`
	}
	pauseRequest struct {
		By     string `json:"by"`
		Reason string `json:"reason,omitempty"`
		Until  moment `json:"until,omitzero"`
	}
)

// A moment is a time that says in the words of this API what is none.
type moment struct{ time.Time }

// UnmarshalJSON implements json.Unmarshaler.
func (m *moment) UnmarshalJSON(b []byte) error {
	if m.Time.UnmarshalJSON(b) == nil {
		return nil
	}
	if len(b) > longestTime {
		b = append(b[:longestTime:longestTime], "…"...)
	}
	return &Error{Code: CodeBadRequest, Message: fmt.Sprintf("until: %s is no time; one is %q (RFC 3339)", b, "2026-01-02T15:04:05Z")}
}

// longestTime bounds, in bytes, what is repeated of something that is no time.
const longestTime = 50
