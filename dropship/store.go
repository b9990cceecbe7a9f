package dropship

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ErrServiceBusy means that another process (an apply beside the agent, or the agent) works on the service.
var ErrServiceBusy = errors.New("another dropship process is working on this service")

// A Store keeps the states of this machine's services, one file each, in one directory. It does not
// survive the loss of that directory; the releases on disk do.
type Store struct{ dir string }

// NewStore returns a store in dir, which is made when something is first kept. It does no I/O.
func NewStore(dir string) *Store { return &Store{dir} }

// Dir returns the directory.
func (s *Store) Dir() string { return s.dir }

// Load returns the state of a service; a service that nothing is known of has an empty one.
// A file that cannot be read or understood is an error: to forget what is installed would deploy it again.
func (s *Store) Load(service string) (*State, error) {
	path := s.path(service)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &State{Version: stateVersion, Service: service}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the state of service %s: %w", service, err)
	}
	var st State
	if err := json.Unmarshal(data, &st); err != nil {
		return nil, fmt.Errorf("cannot understand the state of service %s in %s: %w (move the file away to start afresh: what is at the destination is recognised, what was quarantined is forgotten)", service, path, err)
	}
	if st.Version > stateVersion {
		return nil, fmt.Errorf("cannot use the state of service %s in %s: its format %d is newer than this dropship's %d: run the newer dropship", service, path, st.Version, stateVersion)
	}
	if st.Service != service {
		return nil, fmt.Errorf("cannot use the state in %s: it is of service %q, not %q", path, st.Service, service)
	}
	if err := st.valid(); err != nil {
		return nil, fmt.Errorf("cannot use the state in %s: %w (move the file away to start afresh)", path, err)
	}
	return &st, nil
}

// Save keeps a state. When it returns nil, the state is on disk, whole; until then the old one is.
func (s *Store) Save(st *State) error {
	data, err := json.MarshalIndent(st, "", "  ")
	if err != nil {
		return fmt.Errorf("cannot encode the state of service %s: %w", st.Service, err)
	}
	if err := replace(s.path(st.Service), append(data, '\n')); err != nil {
		return fmt.Errorf("cannot keep the state of service %s: %w", st.Service, err)
	}
	return nil
}

// replace puts a file in place of another in one step, durably. The new one is made beside it, always under
// the same name: there is one writer, who holds the service's lock, and what a killed one left is removed.
func replace(path string, data []byte) error {
	next := path + ".new"
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // never through a link
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(next, path); err != nil {
		return err
	}
	// The rename itself is durable only once the directory is.
	return syncDir(filepath.Dir(path))
}

// Interrupted returns the services, by name, whose states tell of an update that was interrupted.
// States that cannot be read are left out: Load says so of those that matter.
func (s *Store) Interrupted() []string {
	paths, _ := filepath.Glob(filepath.Join(s.dir, "*.json")) // the pattern is well-formed
	var names []string
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		if st, err := s.Load(name); err == nil && st.Journal != nil {
			names = append(names, name)
		}
	}
	return names
}

// Lock makes this process the only one that works on a service, until unlock is called or the process
// ends. It does not wait: ErrServiceBusy says that another one does.
func (s *Store) Lock(service string) (unlock func(), err error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the state directory (stateDir): %w", err)
	}
	f, err := os.OpenFile(filepath.Join(s.dir, service+".lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open the lock of service %s: %w", service, err)
	}
	if err := flock(f); err != nil {
		f.Close()
		if errors.Is(err, ErrServiceBusy) {
			return nil, err
		}
		return nil, fmt.Errorf("cannot lock service %s: %w", service, err)
	}
	return func() {
		funlock(f) // closing alone would wait for a child process that is being forked and holds a copy
		f.Close()
	}, nil
}

// release says how a person lets a quarantined hash be tried again.
func (s *Store) release(service string) string {
	return fmt.Sprintf("publish another artifact, or remove its entry from \"quarantine\" in %s", s.path(service))
}

func (s *Store) path(service string) string { return filepath.Join(s.dir, service+".json") }

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
