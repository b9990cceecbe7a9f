package lock

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"
)

// QuarantineLimit bounds the entries that a Board keeps for one service of a group. The oldest goes first.
const QuarantineLimit = 32

// ErrRefused means that the store of a Board answered and said no: asking again changes nothing until the rights, or
// the request, do.
var ErrRefused = errors.New("refused")

// A Quarantine is a hash that failed on one machine: no other machine of the group installs it until it is lifted.
type Quarantine struct {
	Service  string    `json:"service"`
	Hash     string    `json:"hash"`     // md5 of the artifact, lower-case hex
	Revision string    `json:"revision"` // recognises it before the download, where the repository knows no md5
	Artifact string    `json:"artifact"` // the source that has this revision
	Error    string    `json:"error"`    // why; everybody who may read the store reads it
	Host     string    `json:"host"`     // where
	UpdateID string    `json:"update_id"`
	Since    time.Time `json:"since"`
	Lifted   *Lift     `json:"lifted,omitempty"` // nil: in force
}

// A Lift is the end of a quarantine.
type Lift struct {
	By string    `json:"by"` // "user@host"
	At time.Time `json:"at"`
}

// A Board is where the machines of a group tell each other which hashes not to install. A Locker whose store they
// share is one as well; the locker of a single machine is not. Safe for concurrent use. Every method makes a few small
// requests, tries each once, and its error says what failed; its caller comes again at its next check.
//
// What is lifted stays on the board, marked as such: so a machine that finds nothing where it knows of a quarantine
// knows that the store lost its data, and not that somebody lifted it.
type Board interface {
	// Quarantined returns the entries of a service in the group, lifted ones too, in no order. The answer is
	// consistent: it has every entry that was there before the call. With stale it may lack the newest, and costs the
	// store's leader nothing.
	Quarantined(ctx context.Context, group, service string, stale bool) ([]Quarantine, error)
	// Quarantine puts q on the board and returns it, unless an entry of its hash is in force, or this very one, going
	// by its UpdateID, was lifted: then nothing is changed and that entry is returned. However many machines put up
	// one hash at the same time, all get the same entry.
	Quarantine(ctx context.Context, group string, q Quarantine) (Quarantine, error)
	// Lift ends every quarantine of a service in the group, and returns those that it ended.
	Lift(ctx context.Context, group, service, by string) ([]Quarantine, error)
}

// A BoardLease is what a Locker that is a Board may give as its lease, so that nobody need ask the board right after.
type BoardLease interface {
	Lease
	// Unnoticed reports that no entry of the Holder's hash, neither in force nor lifted, was on the board for the
	// Holder's service at the instant at which the slot was given. If it is false, the board is to be asked.
	Unnoticed() bool
}

// LiftedBy reports whether the end of other, an entry of the same hash, ends q too: it is the same quarantine, or one
// that was there already when somebody let the hash be tried again.
func (q Quarantine) LiftedBy(other Quarantine) bool {
	return other.Lifted != nil && other.Hash == q.Hash && (other.UpdateID == q.UpdateID || q.Since.Before(other.Lifted.At))
}

var hashText = regexp.MustCompile(`^[0-9a-f]{32}$`)

// Validate returns what is wrong with an entry for that group, or nil. Boards call it first: names and hash become a key.
func (q Quarantine) Validate(group string) error {
	if err := ValidateNames(group, q.Service); err != nil {
		return err
	}
	if !hashText.MatchString(q.Hash) || q.UpdateID == "" || q.Lifted != nil {
		return fmt.Errorf("cannot quarantine hash %q of service %s after update %q: it takes an md5 in lower-case hex and an update that failed, and is in force",
			q.Hash, q.Service, q.UpdateID)
	}
	return nil
}

// ValidateNames returns what is wrong with the names of groups and services, or nil.
func ValidateNames(names ...string) error {
	for _, name := range names {
		if !groupName.MatchString(name) {
			return fmt.Errorf("%q is no name of a group or service: that is a letter or digit, then letters, digits, %q, %q or %q", name, "-", "_", ".")
		}
	}
	return nil
}
