package install

// ValidID reports whether a release may have that ID: it is the name of a folder beside those that are not releases.
func ValidID(id string) bool { return checkID(id) == nil }
