package dropship

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A state is kept twice: PATH, and its copy, PATH.copy. Saving overwrites the copy where it lies, exchanges the
// two names, and overwrites what is the copy now. So at every instant one of the two is whole and on disk, what has
// the name PATH is always whole, and no step needs space that the files do not have already. If only the copy is
// whole, it gets the name PATH before anything else.

// ErrDamaged means that a state file is none: cut, empty, filled with zeros, of another service, or no file at all.
var ErrDamaged = errors.New("the state file is damaged")

// maxState is longer than any state: what is longer is none.
const maxState = 16 << 20

const copySuffix = ".copy"

func copyOf(path string) string { return path + copySuffix }

// newAside returns a name for what is set aside of the state at path. In order of name is in order of time.
func newAside(path string) string { return path + ".corrupt-" + newUpdateID(time.Now()) }

// load returns the state on disk, and an empty one where there is none. damage says why it is not from the file itself,
// if it is not. The error is ErrDamaged only if neither file can be of use to anybody.
func (s *Store) load(service string) (_ *State, damage, err error) {
	st, damage := s.read(service)
	if damage == nil || !missing(damage) && !errors.Is(damage, ErrDamaged) {
		return st, nil, damage
	}
	again, _, cerr := readState(copyOf(s.path(service)), service)
	switch {
	case cerr == nil:
		return again, damage, nil
	case !missing(cerr) && !errors.Is(cerr, ErrDamaged):
		return nil, damage, fmt.Errorf("the copy is to be used, and it cannot be: %w (why not the file itself: %v)", cerr, damage) //nolint:errorlint // the copy is not damaged, so the state is not
	case missing(damage):
		// If the copy is there and damaged, the first state of all was not saved to its end, or the file was removed.
		// Which of these it is the destination tells: see restore.
		return &State{Version: stateVersion, Service: service}, damage, nil
	default:
		return nil, damage, errors.Join(damage, cerr)
	}
}

func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// readState reads one of the two files, and returns what the file was before that.
func readState(path, service string) (*State, fs.FileInfo, error) {
	for {
		data, before, err := readWhole(path)
		if err != nil {
			return nil, nil, err
		}
		if before == nil {
			continue // saved meanwhile, twice perhaps
		}
		st, err := parse(data, service)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		}
		return st, before, nil
	}
}

// readWhole returns what is in a file, and what the file was before it was read; nil: it has lost its name meanwhile.
func readWhole(path string) (data []byte, before fs.FileInfo, err error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxState {
		return nil, nil, fmt.Errorf("%s: %w: it is %s of %d bytes", path, ErrDamaged, info.Mode(), info.Size())
	}
	f, err := os.OpenFile(path, os.O_RDONLY|noFollow, 0)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	// What is the copy by now is overwritten; from here on it is not.
	unlock, err := lockFile(f, false)
	if err != nil {
		return nil, nil, err
	}
	defer unlock()
	opened, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	now, err := os.Lstat(path)
	if err != nil || !os.SameFile(opened, now) {
		return nil, nil, err
	}
	data, err = io.ReadAll(f)
	return data, opened, err
}

// parse returns the state of service that data holds.
func parse(data []byte, service string) (*State, error) {
	// The format of a newer one may be another in all else.
	var format struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(data, &format); err == nil && format.Version > stateVersion {
		return nil, fmt.Errorf("its format %d is newer than this dropship's %d: run the newer dropship", format.Version, stateVersion)
	}
	var st State
	if err := json.Unmarshal(data, &st); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if st.Version < 1 || st.Service != service {
		return nil, fmt.Errorf("%w: it is of service %q, format %d", ErrDamaged, st.Service, st.Version)
	}
	if err := st.valid(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return &st, nil
}

// spare gives the copy the name of the state where it alone is whole, since saving begins by overwriting the copy.
func (s *Store) spare(service string) error {
	path := s.path(service)
	if _, _, err := readState(path, service); !missing(err) && !errors.Is(err, ErrDamaged) {
		return nil
	}
	if _, _, err := readState(copyOf(path), service); err != nil {
		return nil // nothing is there to be spared
	}
	if err := exchange(copyOf(path), path); err != nil {
		return err
	}
	return syncDir(s.dir)
}

// replace puts data in place of what is at path in one step, durably, and makes the copy its equal. Both get
// extra bytes of space more than they need.
func (s *Store) replace(path string, data []byte, extra int64) error {
	if _, err := s.overwrite(copyOf(path), data, extra); err != nil {
		return err
	}
	s.step("copy written")
	if err := exchange(copyOf(path), path); err != nil {
		return err
	}
	s.step("exchanged")
	// The exchange itself is durable only once the directory is, and until then what was at path is needed.
	if err := syncDir(filepath.Dir(path)); err != nil {
		return err
	}
	s.step("durable")
	made, err := s.overwrite(copyOf(path), data, extra)
	if err != nil || !made {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// overwrite makes data what a file holds, in the space that the file has, and blanks what is left of that. It
// reports whether it made the file. Who else has a name for the file, as a backup of hard links does, keeps it; one
// that another user owns, who may change it at any time, gives way to one of ours; and what cannot be removed, as a
// directory that is not empty, is set aside.
func (s *Store) overwrite(path string, data []byte, extra int64) (made bool, err error) {
	info, err := os.Lstat(path)
	if err == nil && (!info.Mode().IsRegular() || info.Size() > maxState || !oursAlone(info)) {
		err = os.Remove(path)
		if err != nil && !info.Mode().IsRegular() {
			err = os.Rename(path, newAside(strings.TrimSuffix(path, copySuffix)))
		}
		info = nil
	}
	if err != nil && !missing(err) {
		return false, err
	}
	if info != nil {
		data = append(bytes.Clone(data), bytes.Repeat([]byte{' '}, max(0, int(info.Size())-len(data)))...)
	}
	flags := os.O_WRONLY | noFollow
	if info == nil {
		flags |= os.O_CREATE | os.O_EXCL // never through a link
	}
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return false, err
	}
	s.step("copy opened")
	unlock, err := lockFile(f, true)
	if err != nil {
		return false, errors.Join(err, f.Close())
	}
	if err = f.Chmod(0o600); err == nil && extra > 0 { // whatever the umask
		err = preallocate(f, int64(len(data))+extra)
	}
	if err == nil {
		_, err = f.WriteAt(data, 0)
	}
	err = errors.Join(err, f.Sync())
	unlock()
	return info == nil, errors.Join(err, f.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
