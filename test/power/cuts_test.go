package power_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/dropship/dropship/test/power"
)

var (
	one    = power.NewRelease("one", false)
	two    = power.NewRelease("two", false)
	broken = power.NewRelease("two", true)
	three  = power.NewRelease("three", false)
)

func newMachine(t *testing.T, o power.Options) *power.Machine {
	t.Helper()
	o.Dir, o.Binary = t.TempDir(), binary
	m, err := power.NewMachine(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return m
}

// TestCutAtEveryFlush cuts the power at every flush of an update and after every hook. What is found is looked at,
// and dropship started on some of it.
func TestCutAtEveryFlush(t *testing.T) {
	t.Parallel()
	update, back := power.Story{Old: one, New: two}, power.Story{Old: one, New: broken, Next: three, Broken: true}
	for _, tc := range []struct {
		name      string
		o         power.Options
		story     power.Story
		neighbour bool
	}{
		{"ext4", power.Options{FileSystem: power.Ext4, TwoDisks: true}, update, false},
		{"ext4, first install", power.Options{FileSystem: power.Ext4, TwoDisks: true}, power.Story{New: two}, false},
		{"ext4, two renames", power.Options{FileSystem: power.Ext4, TwoDisks: true, TwoRenames: true}, update, false},
		{"ext4, one disk with a neighbour", power.Options{FileSystem: power.Ext4}, update, true},
		{"ext4, recovery", power.Options{FileSystem: power.Ext4, TwoDisks: true}, power.Story{Old: one, New: two, Interrupted: true}, false},
		{"ext4, data that persists", power.Options{FileSystem: power.Ext4, TwoDisks: true, Persist: true}, power.Story{Old: one.Keeping("mine"), New: two.Keeping("mine")}, false},
		{"xfs", power.Options{FileSystem: power.XFS, TwoDisks: true}, update, false},
		{"xfs, rolled back", power.Options{FileSystem: power.XFS, TwoDisks: true}, back, false},
		{"btrfs", power.Options{FileSystem: power.Btrfs}, update, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t, tc.o)
			l, err := m.Tell(t.Context(), &tc.story, tc.neighbour)
			if err != nil {
				t.Fatal(err)
			}
			seed := rand.Uint64()
			rnd := rand.New(rand.NewPCG(seed, 0))
			cuts := l.Cuts()
			looks, restarts := 0, 0
			for _, c := range cuts {
				dice := rnd.IntN(len(cuts))
				if dice >= 50 && !c.OnEvent { // others each time; make torture takes them all
					continue
				}
				looks++
				restart := dice < 6
				if restart {
					restarts++
				}
				if _, err := m.Try(t.Context(), l, tc.story, c, rnd, restart); err != nil {
					t.Errorf("seed %d: %v", seed, err)
					break
				}
			}
			t.Logf("%d flushes: looked at %d of %d cuts, and restarted after %d", l.Flushes(), looks, len(cuts), restarts)
		})
	}
}
