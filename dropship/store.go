package dropship

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// ErrServiceBusy means that another process (an apply beside the agent, or the agent) works on the service.
var ErrServiceBusy = errors.New("another dropship process is working on this service")

// room is how much a state may grow while hooks run: a journal, a failure, a quarantine and what is unfinished,
// each with the end of what a script printed.
const room = 128 << 10

// A Store keeps the states of this machine's services in one directory: each as NAME.json, and once more as
// NAME.json.copy, since a power loss or a bad disk may damage a file. It does not survive the loss of the
// directory; the releases on disk do. Safe for concurrent use; who saves a state holds the service's lock.
type Store struct {
	dir  string
	step func(string) // tests die in it, at each step of saving; nil: nothing

	mu      sync.Mutex
	unsaved map[string]unsaved
	seen    map[string]seen // what was read last of each service
}

// unsaved is a state that could not be saved: what this process knows better than the disk.
type unsaved struct {
	state  []byte
	onDisk []byte // what NAME.json held then; something else means that somebody knows better by now
}

// NewStore returns a store in dir, which is made when something is first kept. It does no I/O.
func NewStore(dir string) *Store {
	return &Store{dir: dir, step: func(string) {}, unsaved: make(map[string]unsaved), seen: make(map[string]seen)}
}

// Dir returns the directory.
func (s *Store) Dir() string { return s.dir }

// Load returns the state of a service; a service that nothing is known of has an empty one. Where the file is
// damaged or gone it is the copy's. The error is ErrDamaged if the file is damaged and the copy is damaged or gone:
// then the next update sets both aside and begins anew. If the file is gone and the copy is damaged the state is
// empty, and the next update does so only if something is at the destination. What cannot be read, or is of a newer
// format, is another error, and stays as it is.
// A state that this process could not save counts for more than what is on disk. Load changes nothing.
func (s *Store) Load(service string) (*State, error) {
	st, _, err := s.loadLatest(service)
	return st, err
}

// loadLatest is Load, and says why the state is not what NAME.json has, if that is damaged or gone.
func (s *Store) loadLatest(service string) (st *State, damage, err error) {
	st, damage, err = s.load(service)
	if err != nil {
		return nil, damage, fmt.Errorf("cannot load the state of service %s: %w", service, err)
	}
	if latest := s.latest(service, st); latest != nil {
		return latest, damage, nil
	}
	return st, damage, nil
}

// Save keeps a state, twice. When it returns nil, the state is on disk, whole; until then the old one is, or it.
// After an error the state is remembered as long as this Store lives, and what was said of it on disk is no longer
// believed.
func (s *Store) Save(st *State) error { return s.keep(st, 0) }

// Reserve is Save, and takes the space that the state may need until the end of an update, so that a disk that
// fills up cannot keep it from being saved. Where a file system cannot promise space it promises nothing.
func (s *Store) Reserve(st *State) error { return s.keep(st, room) }

func (s *Store) keep(st *State, extra int64) error {
	data, err := json.MarshalIndent(st, "", "  ")
	if err != nil {
		return fmt.Errorf("cannot encode the state of service %s: %w", st.Service, err)
	}
	path := s.path(st.Service)
	if err = s.spare(st.Service); err == nil {
		err = s.replace(path, append(data, '\n'), extra)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		onDisk, _ := os.ReadFile(path) // nil is as good as anything where it cannot be read
		s.unsaved[st.Service] = unsaved{data, onDisk}
		return fmt.Errorf("cannot keep the state of service %s: %w", st.Service, err)
	}
	delete(s.unsaved, st.Service)
	return nil
}

// latest returns the state that could not be saved, if nobody has saved another one since; else what was found bad
// in it is added to st, which is on disk, and latest is nil.
func (s *Store) latest(service string, st *State) *State {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, ok := s.unsaved[service]
	if !ok {
		return nil
	}
	latest, err := parse(u.state, service)
	if err != nil {
		return nil // it was encoded by us
	}
	if onDisk, _ := os.ReadFile(s.path(service)); bytes.Equal(onDisk, u.onDisk) {
		return latest
	}
	if !st.Retried.Equal(latest.Retried) {
		return nil // whoever saved it wants what was found bad to be tried again
	}
	for _, q := range latest.Quarantine {
		st.quarantine(q)
	}
	return nil
}

// forget drops a state that could not be saved, and that has not come true.
func (s *Store) forget(service string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.unsaved, service)
}

// Interrupted returns the services, by name, whose states tell of an update that was interrupted, but for those that
// are kept: their states are not read. States that cannot be read are left out: Load says so of those that matter.
func (s *Store) Interrupted(kept func(service string) bool) []string {
	entries, _ := os.ReadDir(s.dir) // what was read until an error
	var names []string
	for _, e := range entries {
		name, ok := strings.CutSuffix(strings.TrimSuffix(e.Name(), copySuffix), ".json")
		if !ok || kept(name) || slices.Contains(names, name) {
			continue
		}
		if st, err := s.Load(name); err == nil && st.Journal != nil {
			names = append(names, name)
		}
	}
	return names
}

// remembers reports whether there is a state that could not be saved.
func (s *Store) remembers(service string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.unsaved[service]
	return ok
}

// Lock makes this process the only one that works on a service, until unlock is called or the process
// ends. It does not wait: ErrServiceBusy says that another one does. The directory is made with mode 0700 where it is
// missing, and refused if it belongs to another user, or if others can write in it.
func (s *Store) Lock(service string) (unlock func(), err error) {
	if err := s.makeDir(); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(s.dir, service+".lock"), os.O_RDWR|os.O_CREATE|noFollow, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot open the lock of service %s: %w", service, err)
	}
	info, err := f.Stat()
	if err == nil && info.Mode().Perm() != 0o600 {
		// Only then: it counts as a change of the file, and a thousand services that rest would have the disk write.
		err = f.Chmod(0o600) // whatever the umask
	}
	if err != nil && runtime.GOOS != "windows" {
		f.Close()
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

// makeDir makes the directory, and refuses one in which somebody else could put or change states.
func (s *Store) makeDir() error {
	info, err := os.Stat(s.dir)
	if missing(err) {
		if err := os.MkdirAll(filepath.Dir(s.dir), 0o755); err != nil {
			return fmt.Errorf("cannot make the state directory (stateDir): %w", err)
		}
		made := os.Mkdir(s.dir, 0o700)
		if made == nil {
			made = os.Chmod(s.dir, 0o700) // whatever the umask
		}
		if made != nil && !errors.Is(made, fs.ErrExist) {
			return fmt.Errorf("cannot make the state directory (stateDir): %w", made)
		}
		info, err = os.Stat(s.dir)
	}
	if err == nil {
		err = onlyOurs(info)
	}
	if err != nil {
		return fmt.Errorf("cannot use the state directory (stateDir) %s: %w", s.dir, err)
	}
	return nil
}

func (s *Store) path(service string) string { return filepath.Join(s.dir, service+".json") }
