package main

import (
	"context"
	"io"
	"math/rand/v2"

	"github.com/dropship/dropship/test/servers"
)

// A Fault is one way to disturb an update: a row of the matrix.
type Fault struct {
	Name string // as the matrix calls it: "kill -9", "power loss, ext4"
	// Steps are the columns at which it can strike, out of [Steps].
	Steps []string
	// Alone says that its rounds run while no other does: they stop or load something that all share.
	Alone bool
	// Round disturbs one update on a machine of its own and returns what was at the destination right after the
	// fault, before anything was repaired. It has then let a restarted agent recover and checked everything that
	// is promised; an error is a violation (or trouble of the rig's own) and says what to look at.
	Round func(ctx context.Context, r *Round) (Seen, error)
	// Share is how much of the time a cell of this row gets, against 1 of others; 0 is 1.
	Share int
	// Places, if it is not nil, tells how many different places the rounds so far have struck, and of how many.
	Places func() (struck, known int)
}

// Steps are the columns of the matrix, in the order of an update. Rollback, recovery and reload are struck while the
// agent undoes an update, completes or undoes one after a crash, and takes over a changed configuration.
var Steps = []string{"check", "stage", "slot", "before", "switch", "after", "hold", "rollback", "recovery", "reload"}

// Seen is what a destination holds: byte for byte one release, or else the round is a violation.
type Seen string

const (
	Old Seen = "old"
	New Seen = "new"
	// Absent is right only for a directory that is switched by two renames: whoever is killed between them leaves
	// nothing at the destination until the next start.
	Absent Seen = "absent"
)

// A Round is what one round is given.
type Round struct {
	Step    string
	Number  int        // counts the rounds of this fault and step, from 0: what to vary from round to round follows it
	Rand    *rand.Rand // of a printed seed
	Dir     string     // empty, its own, on a real disk; removed after a round that passed
	Servers servers.Set
	Binary  string    // the dropship under torture
	Log     io.Writer // shown when the round fails
}
