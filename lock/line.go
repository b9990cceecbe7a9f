package lock

import "context"

// A Line is a Locker that tells anybody who takes turns, and not only who asks for one.
type Line interface {
	// Line returns who holds the slots of a group, and after them who waits, in order of arrival, as far as the store
	// knows of those who wait. It is one read of the store: it takes no slot, stands in nobody's way, and leaves nothing
	// behind. A group that nobody has used yet has nobody in line. An error says what the store could not be asked, or
	// has ctx's cause; nothing is tried again.
	Line(ctx context.Context, group string) ([]Holder, error)
}
