package dropship_test

import (
	"testing"
	"testing/synctest"
	"time"
)

// asked returns how many services were checked by now.
func (c *crowd) asked() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.asks)
}

// The first services have their answers before the last ones begin.
func TestFewFirstChecksAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, crowdSize)
		c.takes = 10 * time.Millisecond
		c.start(t)
		for _, want := range []int{32, 64, 96, crowdSize} {
			if got := c.asked(); got != want {
				t.Errorf("%d services were checked, want %d", got, want)
			}
			time.Sleep(c.takes)
			synctest.Wait()
		}
	})
}

// A store that hangs holds up nobody for long.
func TestFirstCheckWaitsNotLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, crowdSize)
		c.takes = time.Hour
		c.start(t)
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		if got := c.asked(); got != crowdSize {
			t.Errorf("%d services were checked while others hang, want all %d", got, crowdSize)
		}
	})
}
