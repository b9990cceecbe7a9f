package power

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dropship/dropship/dropship"
)

// A Story is one update: what was there, what came, and what comes after it.
type Story struct {
	Old, New, Next Release // Old may be zero: nothing was there
	// Broken says that New fails the check in its after chain, so that Old is put back.
	Broken bool
	// Interrupted says that dropship is killed in the after chain, and the update is the one that completes it.
	Interrupted bool
	// Earlier is what the world was told before the log began.
	Earlier []string
}

// An Event is a hook's word: "before stop update ID". Or it is "done", when dropship apply has ended well.
type Event struct{ Phase, Hook, Status, UpdateID string }

func parse(line string) Event {
	f := append(strings.Fields(line), "", "", "", "")
	return Event{f[0], f[1], f[2], f[3]}
}

// allowed returns which releases may be at the destination, by what the world was told.
func (s Story) allowed(events []string) []Release {
	at := []Release{s.Old}
	for _, line := range events {
		switch e := parse(line); {
		case e.Phase == "before":
			at = []Release{s.Old, s.New}
		case e.Phase == "done", e.Phase == "after" && e.Status == "update":
			at = []Release{s.New}
		case e.Phase == "after":
			at = []Release{s.Old}
		}
	}
	return at
}

// Look checks what is promised right after the cut, before anything was put in order: the destination is one
// complete release, and the one that the world was told of; the state can be read. It returns the release.
func (m *Machine) Look(s Story, events []string) (Release, error) {
	allowed := s.allowed(append(slices.Clone(s.Earlier), events...))
	if m.o.TwoRenames && !present(m.Destination()) && present(filepath.Join(m.folder(), "switch.json")) {
		allowed = append(allowed, Release{}) // two renames leave a gap, and an intent that tells of it
	}
	at, err := m.at(allowed)
	if err != nil {
		return at, err
	}
	if _, err := dropship.NewStore(m.StateDir()).Load("web"); err != nil {
		return at, err
	}
	return at, nil
}

// at returns which of the releases is at the destination.
func (m *Machine) at(releases []Release) (Release, error) {
	var errs []error
	for _, r := range releases {
		err := r.At(m.Destination())
		if r.Version == "" {
			if err = nil; present(m.Destination()) {
				err = errors.New("there is something, and nothing before")
			}
		}
		if err == nil {
			return r, nil
		}
		errs = append(errs, err)
	}
	return Release{}, fmt.Errorf("at the destination is none of the releases that may be there: %w", errors.Join(errs...))
}

func (m *Machine) folder() string {
	return filepath.Join(filepath.Dir(m.Destination()), ".web.dropship")
}

func present(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// Restart starts dropship on the machine as the cut has left it and checks what is promised from then on: the
// application runs, no hook ran that need not, the newest good release is reached, nothing half done stays, and
// then there is peace.
func (m *Machine) Restart(ctx context.Context, s Story, events []string) error {
	events = append(slices.Clone(s.Earlier), events...)
	// The repository is away, so that only what was interrupted is seen to.
	if err := m.Publish(Release{}); err != nil {
		return err
	}
	code, out, err := m.Apply(ctx)
	if err != nil {
		return err
	}
	if code != 1 || !strings.Contains(out, "does not exist") && !strings.Contains(out, "quarantined") {
		return fmt.Errorf("with the repository away apply ends with %d", code)
	}
	since := m.Recorder.TakeEvents()
	if err := balanced(events, since); err != nil {
		return err
	}
	told := append(slices.Clone(events), since...)
	if _, err := m.at(s.allowed(told)); err != nil {
		return fmt.Errorf("after the recovery: %w", err)
	}

	want, codes := s.New, []int{0}
	if s.Broken {
		want, codes = s.Old, []int{1}
	}
	ended := slices.ContainsFunc(told, func(line string) bool {
		e := parse(line)
		return e.Phase == "done" || e.Phase == "before" && e.Status == "rollback"
	})
	if err := m.reach(ctx, s.New, want, codes, ended); err != nil {
		return err
	}
	if s.Broken {
		if err := m.reach(ctx, s.Next, s.Next, []int{0}, false); err != nil {
			return err
		}
		want = s.Next
	}
	if err := m.leftovers(); err != nil {
		return err
	}
	return m.reach(ctx, want, want, []int{0}, true)
}

// reach publishes a release, applies it, and wants that one at the destination; without a hook if nothing is to do.
func (m *Machine) reach(ctx context.Context, published, want Release, codes []int, quiet bool) error {
	if err := m.Publish(published); err != nil {
		return err
	}
	code, _, err := m.Apply(ctx)
	if err != nil {
		return err
	}
	ran := m.Recorder.TakeEvents()
	switch {
	case !slices.Contains(codes, code):
		return fmt.Errorf("with %s in the repository apply ends with %d", published.Version, code)
	case quiet && len(ran) > 0:
		return fmt.Errorf("with %s in the repository nothing is to be done, and hooks ran: %q", published.Version, ran)
	}
	if _, err := m.at([]Release{want}); err != nil {
		return fmt.Errorf("with %s in the repository: %w", published.Version, err)
	}
	return balanced(nil, ran)
}

// balanced checks the hooks before the cut together with those after it: whatever was stopped was started again, and
// no hook ran again although a later one of its chain had begun.
func balanced(before, since []string) error {
	running := true
	order := []string{"start", "announce", "check"}
	begun := map[Event]int{} // of an update's chain: how many of its hooks had begun before the cut
	for _, line := range before {
		e := parse(line)
		running = running && e.Hook != "stop" || e.Hook == "start"
		if e.Phase == "after" {
			begun[Event{"after", "", e.Status, e.UpdateID}] = slices.Index(order, e.Hook) + 1
		}
	}
	for _, line := range since {
		e := parse(line)
		running = running && e.Hook != "stop" || e.Hook == "start"
		n := begun[Event{"after", "", e.Status, e.UpdateID}]
		i := slices.Index(order, e.Hook) + 1
		// The one that was interrupted is run again, unless it is the announcement.
		if e.Phase == "after" && (i < n || i == n && e.Hook == "announce") {
			return fmt.Errorf("hook %q ran again: %q, and after the cut %q", line, before, since)
		}
	}
	if !running {
		return fmt.Errorf("the application is left stopped: hooks %q, and after the cut %q", before, since)
	}
	return nil
}

// leftovers reports what a recovery should have removed.
func (m *Machine) leftovers() error {
	entries, err := os.ReadDir(m.folder())
	if err != nil {
		return err
	}
	var left []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "stage-") || strings.HasPrefix(e.Name(), "trash-") || e.Name() == "switch.json" {
			left = append(left, e.Name())
		}
	}
	new, err := filepath.Glob(filepath.Join(m.StateDir(), "*.new"))
	if left = append(left, new...); len(left) > 0 {
		return fmt.Errorf("half done things are left: %q", left)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return err
}
