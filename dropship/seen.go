package dropship

import (
	"io/fs"
	"os"
	"time"
)

// seen is a calm state as NAME.json held it, with the stamp that the file had before it was read. As long as it has that,
// it would be read the same again: a thousand services need not have theirs opened and parsed at each check.
type seen struct {
	stamp stamp
	state State
}

// A stamp is of what has a name. Another one is there when the file was replaced, also by one with the inode number that
// it had, or was written to, whoever did that. Nobody can set it back.
type stamp struct {
	device, inode uint64
	changed       int64 // the inode; nanoseconds since 1970
}

// settled is longer than what file systems take for one moment: ext4 a tick of the kernel, or with small inodes a
// second, FAT two. What changed within it may change once more and keep its stamp: each second save writes to the same
// file again, and as much.
const settled = 3 * time.Second

// read returns what NAME.json holds.
func (s *Store) read(service string) (*State, error) {
	path := s.path(service)
	if st := s.recall(service, path); st != nil {
		return st, nil
	}
	began := time.Now()
	st, before, err := readState(path, service)
	if err == nil {
		s.remember(service, st, before, began)
	}
	return st, err
}

// recall returns the state that was read last, if the file is still what it was; else nil.
func (s *Store) recall(service, path string) *State {
	s.mu.Lock()
	last, ok := s.seen[service]
	s.mu.Unlock()
	if !ok {
		return nil
	}
	info, err := os.Lstat(path)
	if err != nil {
		return nil
	}
	if now, ok := stampOf(info); !ok || now != last.stamp {
		return nil
	}
	return last.state.copyCalm()
}

// remember keeps a state that was read after the moment began from a file that was info before.
func (s *Store) remember(service string, st *State, info fs.FileInfo, began time.Time) {
	stamp, ok := stampOf(info)
	if !ok || !st.calm() || began.Sub(time.Unix(0, stamp.changed)) < settled {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[service] = seen{stamp, *st.copyCalm()}
}
