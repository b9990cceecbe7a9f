package dropship

import "context"

// OnStep calls f at each step of saving a state, at which a process may die.
func (s *Store) OnStep(f func(step string)) { s.step = f }

// BeginDownload and ExtraConnection take what the download of an update takes.
func (m *Machine) BeginDownload(ctx context.Context, source string) (end func(), err error) {
	return m.downloads.begin(ctx, source)
}

func (m *Machine) ExtraConnection(source string) (end func(), ok bool) {
	return m.downloads.extra(source)
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
