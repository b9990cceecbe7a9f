package dropship

import (
	"time"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/install"
	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/lock"
)

// A Service is one artifact, where it goes, and the hooks around it: one service block, ready to run.
// It is never changed after it was made, so that an update ends with the configuration it began with.
type Service struct {
	Name          string
	Source        artifact.Source
	Site          *install.Site // where releases go; Site.Destination() is absolute
	Before, After hooks.Chain
	CheckInterval time.Duration
	Turn          *Turn         // nil: updates at any time, without a slot
	UpdateTTL     time.Duration // how long the slot is kept after a good update
	Hash          string        // md5 to believe installed where the state knows nothing; or empty
	File          string        // the configuration file that it stands in

	// Fingerprint is equal for two services made from the same configuration: a reload leaves such a
	// service undisturbed. It covers everything that the service was made from, also repository and
	// lock blocks and what env() and file() returned, as a hash, so that it shows no secret.
	Fingerprint string
}

// ready returns why nothing can be installed, as far as that is known before anything is downloaded.
func (s *Service) ready() error {
	if err := s.Site.Ready(); err != nil {
		return err
	}
	if err := s.Before.Ready(hooks.Before); err != nil {
		return err
	}
	return s.After.Ready(hooks.After)
}

// A Turn says how a service takes its turn among the machines of its group.
type Turn struct {
	Locker lock.Locker
	Group  string
	Slots  int
	Wait   time.Duration // how long to wait for a slot; 0: as long as it takes
	// Waiting, if set, is told who is ahead in line; see lock.Request.
	Waiting func(ahead []lock.Holder)
}
