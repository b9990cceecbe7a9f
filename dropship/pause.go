package dropship

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// A Pause is a person's word that a service is not to be updated. Checks go on, and so does what a person asks for: a
// rollback.
type Pause struct {
	By     string    `json:"by"` // "user@host"
	Reason string    `json:"reason,omitempty"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until,omitzero"` // zero: until it is resumed
}

// String says by whom, since when, how long and why.
func (p Pause) String() string {
	text := fmt.Sprintf("paused by %s since %s", p.By, LocalTime(p.Since))
	if !p.Until.IsZero() {
		text += " until " + LocalTime(p.Until)
	}
	if p.Reason != "" {
		text += ": " + p.Reason
	}
	return text
}

// over reports whether the pause came to its own end.
func (p Pause) over() bool { return !p.Until.IsZero() && !time.Now().Before(p.Until) }

// A pause is a file of its own, paused/NAME.json: the state belongs to who works on the service, for hours where that
// waits for a slot, and a person must be heard at once.

func (s *Store) pausePath(service string) string {
	return filepath.Join(s.dir, "paused", service+".json")
}

// Paused returns the pause of a service; nil: there is none, or it is over. What cannot be read is an error.
func (s *Store) Paused(service string) (*Pause, error) {
	data, err := os.ReadFile(s.pausePath(service))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var p Pause
	if err == nil {
		err = json.Unmarshal(data, &p)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot tell whether service %s is paused: %w (dropship resume %s, or dropship pause, writes it anew)", service, err, service)
	}
	if p.over() {
		return nil, nil
	}
	return &p, nil
}

// Pause keeps a service from being updated from now on, also after a restart. A pause that there is, is replaced.
// An update whose hooks have begun is not stopped.
func (s *Store) Pause(service string, p Pause) error {
	if err := s.pause(service, p); err != nil {
		return fmt.Errorf("cannot pause service %s: %w", service, err)
	}
	return nil
}

func (s *Store) pause(service string, p Pause) error {
	data, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	if err := s.makeDir(); err != nil {
		return err
	}
	return writeDurably(s.pausePath(service), append(data, '\n'))
}

// Resume ends a pause, and returns it; nil: there was none.
func (s *Store) Resume(service string) (*Pause, error) {
	p, _ := s.Paused(service) // one that cannot be read is ended, too
	err := os.Remove(s.pausePath(service))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = syncDir(filepath.Dir(s.pausePath(service)))
	}
	if err != nil {
		return nil, fmt.Errorf("cannot resume service %s: %w", service, err)
	}
	return p, nil
}

// held returns Held if there is something new, and a person does not want it to be installed.
func (u *update) held() (Result, error) {
	p, err := u.m.Store.Paused(u.Name)
	if err != nil {
		return Result{}, &StepError{StepState, err}
	}
	if p == nil {
		return Result{}, nil
	}
	return Result{Outcome: Held, Hash: u.installedHash(), Detail: p.String()}, nil
}

// newSuffix ends the name of a file that is being written.
const newSuffix = ".new"

// writeDurably puts a file in place in one step: it is there, whole, or what was there before is. Its directory is made
// where it is missing. Nobody else writes the same file at the same time.
func writeDurably(path string, data []byte) error {
	dir := filepath.Dir(path)
	for _, d := range []string{filepath.Dir(dir), dir} {
		if err := makePrivate(d); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(path+newSuffix, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|noFollow, 0o600)
	if err != nil {
		return err
	}
	if err := f.Chmod(0o600); err != nil && runtime.GOOS != "windows" { // whatever the umask
		return errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(dir)
}

// makePrivate makes a directory that is nobody else's, where it is missing.
func makePrivate(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err == nil {
		err = os.Chmod(dir, 0o700) // whatever the umask
	}
	return err
}

// logPause says at the start of a service's loop that nothing will be updated there.
func (l *loop) logPause(ctx context.Context) {
	if p, err := l.m.Store.Paused(l.service.Name); err == nil && p != nil {
		l.logPaused(ctx, *p)
	}
}

func (l *loop) logPaused(ctx context.Context, p Pause) {
	log := l.log.With("by", p.By, "since", p.Since, "reason", p.Reason)
	if !p.Until.IsZero() {
		log = log.With("until", p.Until)
	}
	log.WarnContext(ctx, "paused: not updated until it is resumed")
}
