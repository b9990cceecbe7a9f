package servers

// Running returns the running set to a program that is no test. The error says how to start it.
func Running() (Set, error) {
	s, err := findState()
	if err != nil {
		return Set{}, err
	}
	return s.Set, nil
}

// RunningTools returns the programs that the running set is made of, for more servers like it.
func RunningTools() (Tools, error) {
	s, err := findState()
	if err != nil {
		return Tools{}, err
	}
	return s.Tools, nil
}
