package install

import "path/filepath"

// seen is what Current found, with the stamps that the destination and the folder had before it looked. As long as they
// have them, it would find the same again, and need not open and read what a thousand services are asked for each few
// seconds.
type seen struct {
	destination, folder stamp
	release             Release
}

// stamps returns those of now; false: something is missing, or this system keeps none.
func (s *Site) stamps() (destination, folder stamp, ok bool) {
	destination, ok = stampOf(s.o.Destination)
	if !ok {
		return stamp{}, stamp{}, false
	}
	parent, _, name := folderOf(s.o.Destination)
	folder, ok = stampOf(filepath.Join(parent, name))
	return destination, folder, ok
}

// recall returns what was seen with these stamps, if that was a release.
func (s *Site) recall(destination, folder stamp) (Release, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil || s.seen.destination != destination || s.seen.folder != folder {
		return Release{}, false
	}
	return s.seen.release, true
}

func (s *Site) remember(seen *seen) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = seen
}
