package hookstest

import "time"

// HaveLessPatience shortens what the suite waits for a hook that does not end, where that is what it shall find.
func HaveLessPatience() { soon = 5 * time.Second }
