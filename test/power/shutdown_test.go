package power_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/dropship/dropship/test/power"
)

// TestShutdown stops the file systems at any instant of an update, while dropship goes on, kills it, and starts it
// again after the power is back.
func TestShutdown(t *testing.T) {
	t.Parallel()
	for _, f := range []power.FileSystem{power.Ext4, power.XFS} {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t, power.Options{FileSystem: f})
			story := power.Story{Old: one, New: two, Next: three}
			seed := rand.Uint64()
			rnd := rand.New(rand.NewPCG(seed, 0))
			for i := range 8 {
				seen, err := m.ShutDownIn(t.Context(), story, "", time.Duration(rnd.IntN(60))*time.Millisecond)
				if err != nil {
					t.Fatalf("seed %d, round %d: %v", seed, i, err)
				}
				t.Logf("round %d: %s of %s", i, seen.Version, story.New.Version)
				story = power.Story{Old: story.New, New: story.Next, Next: story.Old}
			}
		})
	}
}
