package dropship

import (
	"fmt"
	"slices"
	"time"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/install"
	"github.com/dropship/dropship/hooks"
)

// stateVersion is the format of a state file. A file of a newer format is refused, never rewritten.
const stateVersion = 1

// quarantineLimit bounds the hashes a service remembers as bad; the oldest is forgotten first.
const quarantineLimit = 32

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

// Quarantined is a hash that was rolled back: nobody installs it again until told to.
type Quarantined struct {
	Hash     string    `json:"hash"`
	Revision string    `json:"revision"` // recognises it before the download, where the repository knows no md5
	Artifact string    `json:"artifact"`
	Error    string    `json:"error"`
	Since    time.Time `json:"since"`
	UpdateID string    `json:"update_id"`
}

// A Journal is written before the first hook of an update runs and removed when its last one has run,
// so that an update that was interrupted (kill -9, power loss) can be completed or undone. Whether the
// switch happened is not in it: the destination itself tells (install.Site.Current).
type Journal struct {
	UpdateID string          `json:"update_id"`
	Status   hooks.Status    `json:"status"`
	To       install.Release `json:"to"`
	From     install.Release `json:"from"`           // zero at a first install
	Chain    []string        `json:"chain"`          // the hooks of the after chain
	Hook     int             `json:"hook,omitempty"` // position in that chain: all before it have run
	Error    string          `json:"error,omitempty"`
	Started  time.Time       `json:"started"`
}

// valid reports positions that are in no chain: whoever uses them would fail at each start.
func (st *State) valid() error {
	if j := st.Journal; j != nil && (j.Hook < 0 || j.Hook > len(j.Chain)) {
		return fmt.Errorf("its journal is at hook %d of %d", j.Hook, len(j.Chain))
	}
	if l := st.Unfinished; l != nil {
		for _, i := range l.Hooks {
			if i < 0 || i >= len(l.Update.Chain) {
				return fmt.Errorf("hook %d of %d is unfinished", i, len(l.Update.Chain))
			}
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

// quarantined returns why a hash or revision must not be installed, or false.
func (st *State) quarantined(artifactName, hash, revision string) (Quarantined, bool) {
	for _, q := range st.Quarantine {
		if hash != "" && q.Hash == hash || q.Artifact == artifactName && q.Revision == revision {
			return q, true
		}
	}
	return Quarantined{}, false
}

// quarantine adds q, in place of an older entry of the same hash.
func (st *State) quarantine(q Quarantined) {
	st.Quarantine = slices.DeleteFunc(st.Quarantine, func(o Quarantined) bool { return o.Hash == q.Hash })
	st.Quarantine = append(st.Quarantine, q)
	if extra := len(st.Quarantine) - quarantineLimit; extra > 0 {
		st.Quarantine = slices.Delete(st.Quarantine, 0, extra)
	}
}
