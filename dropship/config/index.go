package config

import (
	"iter"
	"math"
	"path/filepath"
)

// An index finds the first of any number of spots that is around another or inside it, without a look at each. It maps
// the ways to a spot, and perhaps to the directories above it, to the number of the first spot there.
type index map[way]int

// A way is a path as it is written, or as it is on this machine: a spot is within another where it is by the same way.
type way struct {
	path string
	real bool
}

// none is the number of no spot.
const none = math.MaxInt

// add adds a spot by its number, greater than those before.
func (x index) add(number int, s spot) {
	for _, w := range s.ways() {
		x.put(number, w)
	}
}

// addUp adds a spot to where it is and to every directory above.
func (x index) addUp(number int, s spot) {
	for _, w := range s.ways() {
		for w := range w.up() {
			x.put(number, w)
		}
	}
}

func (x index) put(number int, w way) {
	if _, ok := x[w]; !ok {
		x[w] = number
	}
}

// first returns the number of the first spot that was added where s is.
func (x index) first(s spot) int {
	first := none
	for _, w := range s.ways() {
		if number, ok := x[w]; ok {
			first = min(first, number)
		}
	}
	return first
}

// firstUp returns the number of the first spot that was added where s is or above.
func (x index) firstUp(s spot) int {
	first := none
	for _, w := range s.ways() {
		for w := range w.up() {
			if number, ok := x[w]; ok {
				first = min(first, number)
			}
		}
	}
	return first
}

func (s spot) ways() [2]way { return [2]way{{s.path, false}, {s.real, true}} }

// up yields w and every directory above it.
func (w way) up() iter.Seq[way] {
	return func(yield func(way) bool) {
		for yield(w) {
			dir := filepath.Dir(w.path)
			if dir == w.path {
				return
			}
			w.path = dir
		}
	}
}
