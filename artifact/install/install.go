// Package install puts releases in place: it stages a release beside its destination, switches it in
// with one atomic step, puts the previous one back, and prunes old ones.
package install

import (
	"context"
	"io"
	"time"

	"github.com/dropship/dropship/artifact/archive"
)

// Options say where and how a Site installs.
type Options struct {
	Destination string // absolute and clean
	Archive     archive.Options
	Keep        int      // previous releases that Prune leaves
	Persist     []string // paths within a release that live across releases
}

// A Site is one destination on this machine, with the folder .NAME.dropship beside it.
type Site struct{ o Options }

// New returns a site. It does no I/O.
func New(o Options) *Site { return &Site{o} }

// Destination returns the absolute path that releases are switched to.
func (s *Site) Destination() string { return s.o.Destination }

// Options returns what the site was made with.
func (s *Site) Options() Options { return s.o }

// A Release is one unpacked artifact on this machine.
type Release struct {
	ID       string    `json:"id"`       // the name of its folder below .NAME.dropship
	Hash     string    `json:"hash"`     // md5 of the artifact's bytes, hex; empty: not installed by us
	SHA256   string    `json:"sha256"`   // of the same bytes, hex
	Revision string    `json:"revision"` // the repository's token
	Artifact string    `json:"artifact"` // the source it came from
	Size     int64     `json:"size"`     // of the artifact, bytes
	Staged   time.Time `json:"staged"`
}

// A Stage is a release that is being made, not visible yet.
type Stage struct{}

// (shapes; the author of this package completes them)

// Ready reports why nothing can be installed here, and what to do about it.
func (s *Site) Ready() error { panic("to be written") }

// Present reports whether there is anything at the destination.
func (s *Site) Present() (bool, error) { panic("to be written") }

// Current returns the release at the destination, or false if what is there is none of ours.
func (s *Site) Current() (Release, bool, error) { panic("to be written") }

// Stage makes room for a new release.
func (s *Site) Stage(id string) (*Stage, error) { panic("to be written") }

// Unpack fills the stage from r, which it reads to its end.
func (st *Stage) Unpack(ctx context.Context, r io.Reader) (archive.Stats, error) {
	panic("to be written")
}

// Seal makes the stage a release: everything of it is on disk when Seal returns.
func (st *Stage) Seal(r Release) (Release, error) { panic("to be written") }

// Discard removes a stage that is not sealed or not wanted; it may be called again, and after Seal.
func (st *Stage) Discard() error { panic("to be written") }

// Switch makes release `to` current, in one atomic step, and keeps what was there as release `from`.
func (s *Site) Switch(to, from string) error { panic("to be written") }

// Recover completes what a Switch that was interrupted left half done, and removes stages that nobody will seal.
func (s *Site) Recover() error { panic("to be written") }

// Releases returns the sealed releases on disk, newest first, the current one included.
func (s *Site) Releases() ([]Release, error) { panic("to be written") }

// Prune removes all but the Keep newest previous releases.
func (s *Site) Prune() error { panic("to be written") }
