package lock

import (
	"fmt"
	"regexp"
)

var groupName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// Validate returns what is wrong with the request itself, or nil. Lockers call it first: a group's name
// becomes part of a key or a path.
func (r Request) Validate() error {
	if !groupName.MatchString(r.Group) {
		return fmt.Errorf("cannot ask for a slot of group %q: a group's name is a letter or digit, then letters, digits, %q, %q or %q",
			r.Group, "-", "_", ".")
	}
	if r.Slots < 1 {
		return fmt.Errorf("cannot ask for a slot of group %s: it has %d slots and needs at least 1", r.Group, r.Slots)
	}
	return nil
}
