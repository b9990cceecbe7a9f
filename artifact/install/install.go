package install

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/dropship/dropship/artifact/archive"
)

// ErrNoRelease means that a release is not, or no longer, on this machine.
var ErrNoRelease = errors.New("no such release on this machine")

// Options say where and how a Site installs.
type Options struct {
	Destination string // absolute and clean
	Archive     archive.Options
	Keep        int      // previous releases that Prune leaves
	Persist     []string // paths within a release that live across releases: relative, clean, none within another
}

// A Site is one destination on this machine, with the folder .NAME.dropship beside it.
//
// One process at a time may change a site: the caller holds Lock from Recover to Prune.
// Ready, Present, Current, Releases, Compare, CompareRelease and Method change nothing and may be called at any time, from any
// goroutine and process. No method retries; every error names the destination or the path in it.
type Site struct {
	o Options

	mu       sync.Mutex
	method   string          // how to switch; empty: not probed yet
	switched map[string]bool // releases that this Site has made current
	seen     *seen           // nil: nothing, or it is not to be relied on
}

// New returns a site. It does no I/O.
func New(o Options) *Site { return &Site{o: o, switched: map[string]bool{}} }

// Destination returns the absolute path that releases are switched to.
func (s *Site) Destination() string { return s.o.Destination }

// Options returns what the site was made with.
func (s *Site) Options() Options { return s.o }

// Method says how this site switches: "exchange" or "two renames". It is empty before the first Stage or
// Switch, since finding out writes to the disk.
func (s *Site) Method() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.method
}

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

// Present reports whether there is anything at the destination, whoever put it there.
func (s *Site) Present() (bool, error) {
	_, err := os.Lstat(s.o.Destination)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if errors.Is(err, syscall.ENOTDIR) {
		err = cmp.Or(checkParent(filepath.Dir(s.o.Destination)), err) // which of its parents is a file
	}
	if err != nil {
		return false, fmt.Errorf("cannot look at the destination %s: %w", s.o.Destination, err)
	}
	return true, nil
}

// Current returns the release at the destination, or false if there is nothing or none of ours. A release
// with an empty Hash is something that a Switch found at the destination and kept, and that is there
// (again). What was put at the destination by hand, or restored from a backup, is none of ours.
func (s *Site) Current() (Release, bool, error) {
	destination, folder, stamped := s.stamps()
	if stamped {
		if r, ok := s.recall(destination, folder); ok {
			return r, true, nil
		}
	}
	r, known, err := s.current()
	if stamped && known {
		s.remember(&seen{destination, folder, r})
	}
	return r, known, err
}

func (s *Site) current() (Release, bool, error) {
	d, err := s.open()
	if errors.Is(err, fs.ErrNotExist) {
		return Release{}, false, nil
	}
	if err != nil {
		return Release{}, false, fmt.Errorf("cannot tell what is at %s: %w", s.o.Destination, s.explain(err))
	}
	defer d.close()
	all, err := d.records()
	if err != nil {
		return Release{}, false, fmt.Errorf("cannot tell what is at %s: %w", s.o.Destination, s.explain(err))
	}
	there, present, err := d.identify(d.name)
	if err != nil {
		return Release{}, false, fmt.Errorf("cannot tell what is at %s: %w", s.o.Destination, s.explain(err))
	}
	if !present {
		return Release{}, false, nil
	}
	r, ok := claim(all, there)
	return r.Release, ok, nil
}

// Releases returns the sealed releases on disk, newest first by Staged, the current one included: all that a
// Switch can make current. A folder whose release.json cannot be read is none: it is left out here, and
// Prune and Recover leave it alone, so that a person can look into it.
func (s *Site) Releases() ([]Release, error) {
	d, err := s.open()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot list the releases of %s: %w", s.o.Destination, s.explain(err))
	}
	defer d.close()
	whole, _, err := d.whole()
	if err != nil {
		return nil, fmt.Errorf("cannot list the releases of %s: %w", s.o.Destination, s.explain(err))
	}
	releases := make([]Release, 0, len(whole))
	for _, r := range whole {
		releases = append(releases, r.Release)
	}
	return releases, nil
}

// newestFirst sorts by the time of staging; equal times by ID, so that the order is always the same.
func newestFirst(all []record) {
	slices.SortFunc(all, func(a, b record) int {
		if c := b.Staged.Compare(a.Staged); c != 0 {
			return c
		}
		if a.ID > b.ID {
			return -1
		}
		return 1
	})
}

// folderOf returns the parent of destination, its name there, and the name of our folder beside it.
func folderOf(destination string) (parent, name, folder string) {
	parent, name = filepath.Dir(destination), filepath.Base(destination)
	return parent, name, "." + name + ".dropship"
}
