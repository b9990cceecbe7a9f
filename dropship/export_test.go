package dropship

// OnStep calls f at each step of saving a state, at which a process may die.
func (s *Store) OnStep(f func(step string)) { s.step = f }
