package servers

// Running returns the running set to a program that is no test. The error says how to start it.
func Running() (Set, error) {
	s, err := findState()
	if err != nil {
		return Set{}, err
	}
	return s.Set, nil
}
