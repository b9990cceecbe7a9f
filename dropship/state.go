package dropship

import (
	"fmt"
	"time"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/install"
	"github.com/dropship/dropship/hooks"
)

// stateVersion is the format of a state file. A file of a newer format is refused, never rewritten.
const stateVersion = 1

// A State is what a machine remembers of one service: the file NAME.json in the state directory.
type State struct {
	Version     int              `json:"version"`
	Service     string           `json:"service"`
	Destination string           `json:"destination"`
	Installed   *Installed       `json:"installed,omitempty"`
	Staged      *install.Release `json:"staged,omitempty"` // sealed and never live: the next attempt need not download it again
	Failed      *Failure         `json:"failed,omitempty"` // the last update left this machine in a state that needs a person, or a new hash
	Quarantine  []Quarantined    `json:"quarantine,omitempty"`
	Journal     *Journal         `json:"journal,omitempty"` // the update under way; found at a start, it was interrupted
	Unfinished  *Unfinished      `json:"unfinished,omitempty"`
	Retried     time.Time        `json:"retried,omitzero"`      // when a person last let what failed be tried again
	Interrupted int              `json:"interrupted,omitempty"` // updates in a row that were cut off before their switch
}

// calm reports whether there is nothing to be remembered of a service but what is installed.
func (st *State) calm() bool {
	return st.Staged == nil && st.Failed == nil && len(st.Quarantine) == 0 && st.Journal == nil && st.Unfinished == nil
}

// copyCalm returns a copy of a state that is calm.
func (st *State) copyCalm() *State {
	c := *st
	if st.Installed != nil {
		in := *st.Installed
		c.Installed = &in
	}
	return &c
}

// Installed is the release at the destination.
type Installed struct {
	install.Release
	At       time.Time `json:"at"`
	UpdateID string    `json:"update_id"`
}

// A Failure is an update that could not be completed nor undone.
type Failure struct {
	Hash     string    `json:"hash"`
	Error    string    `json:"error"`
	At       time.Time `json:"at"`
	UpdateID string    `json:"update_id"`
}

// A Journal is written before the first hook of an update runs and removed when its last one has run,
// so that an update that was interrupted (kill -9, power loss) can be completed or undone. Whether the
// switch happened is not in it: the destination itself tells (install.Site.Current).
type Journal struct {
	UpdateID string          `json:"update_id"`
	Status   hooks.Status    `json:"status"`
	To       install.Release `json:"to"`
	From     install.Release `json:"from"`             // zero at a first install
	Chain    []string        `json:"chain"`            // the hooks of the after chain
	Hook     int             `json:"hook,omitempty"`   // position in that chain: all before it have run
	Deaths   int             `json:"deaths,omitempty"` // processes that ended in the middle of it, at this status
	Error    string          `json:"error,omitempty"`
	By       string          `json:"by,omitempty"`     // the person who asked for it, "user@host"; empty: nobody
	Reason   string          `json:"reason,omitempty"` // why that person did
	// Published is what the repository held then, with its hash; nil: not known.
	Published *install.Release `json:"published,omitempty"`
	Started   time.Time        `json:"started"`
}

// abandonable reports whether the update can be given up before its switch, with what is installed staying: what
// nobody asked for and puts the previous release back cannot, since what is installed does not work.
func (j *Journal) abandonable() bool { return j.Status == hooks.StatusUpdate || j.By != "" }

// valid reports what no update writes, and what whoever uses it would fail at, at each start: positions that are
// in no chain, names that no release can have.
func (st *State) valid() error {
	if st.Staged != nil && !install.ValidID(st.Staged.ID) {
		return fmt.Errorf("what is staged is called %q", st.Staged.ID)
	}
	if st.Journal != nil {
		if err := st.Journal.valid(); err != nil {
			return fmt.Errorf("its journal: %w", err)
		}
	}
	if l := st.Unfinished; l != nil {
		if err := l.Update.valid(); err != nil {
			return fmt.Errorf("its unfinished update: %w", err)
		}
		for _, i := range l.Hooks {
			if i < 0 || i >= len(l.Update.Chain) {
				return fmt.Errorf("hook %d of %d is unfinished", i, len(l.Update.Chain))
			}
		}
	}
	return nil
}

func (j *Journal) valid() error {
	switch {
	case j.Status != hooks.StatusUpdate && j.Status != hooks.StatusRollback && j.Status != hooks.StatusFailed:
		return fmt.Errorf("its status is %q", j.Status)
	case j.Hook < 0 || j.Hook > len(j.Chain):
		return fmt.Errorf("it is at hook %d of %d", j.Hook, len(j.Chain))
	case j.Deaths < 0:
		return fmt.Errorf("%d processes died in it", j.Deaths)
	}
	for _, r := range []install.Release{j.To, j.From} {
		if r.ID != "" && !install.ValidID(r.ID) {
			return fmt.Errorf("its release is called %q", r.ID)
		}
	}
	return nil
}

// holds reports whether the repository's state info of artifact is what is installed, as far as can be
// told without the bytes.
func (i *Installed) holds(artifactName string, info artifact.Info) bool {
	if info.MD5 != "" && i.Hash != "" {
		return info.MD5 == i.Hash
	}
	return i.Revision == info.Revision && i.Artifact == artifactName
}
