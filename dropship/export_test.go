package dropship

import "context"

// OnStep calls f at each step of saving a state, at which a process may die.
func (s *Store) OnStep(f func(step string)) { s.step = f }

// A Download is under way until End.
type Download struct {
	End   func()
	Share func(have, want int) int // of the connections
}

// BeginDownload takes what the download of an update takes.
func (m *Machine) BeginDownload(ctx context.Context, source string) (Download, error) {
	dl, err := m.downloads.begin(ctx, source)
	if err != nil {
		return Download{}, err
	}
	return Download{dl.end, dl.share}, nil
}

// Keeps reports whether what was read of a service's state counts until the file changes.
func (s *Store) Keeps(service string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.seen[service]
	return ok
}

// Topics returns how much is remembered of what was said once.
func (m *Machine) Topics() (n int) {
	m.said.Range(func(any, any) bool { n++; return true })
	return n
}
