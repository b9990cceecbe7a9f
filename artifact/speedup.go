package artifact

import (
	"sync/atomic"
	"time"
)

// A speedup finds out how many connections are worth their while.
type speedup struct {
	connections int
	arrived     atomic.Int64 // bytes, over all of them

	rate    float64 // bytes a second with the last number of connections that was measured
	settled bool    // no other number is tried
	proven  bool    // more than one was faster
	parts   int     // that ended since the connections became so many, or since the measurement began
	from    int64   // bytes that had arrived when it did
	begun   time.Time
}

// speedupWindow is how long each number of connections is measured for at least: less than one is, since parts are even
// and a probe has shown much the same before.
const speedupWindow = paceWindow / 2

// clearly is how much faster twice the connections must be.
const clearly = 1.25

func (s *speedup) begin(rate float64) {
	s.connections, s.rate = 2, rate
}

// measure is told that a part has ended well, with so many bytes arrived and so many left to be asked for.
func (s *speedup) measure(arrived, left int64) {
	if s.settled {
		return
	}
	s.parts++
	now := time.Now()
	switch {
	case s.begun.IsZero():
		if s.parts >= s.connections { // each is open now, and up to speed
			s.parts, s.from, s.begun = 0, arrived, now
		}
		return
	case s.parts < s.connections || now.Sub(s.begun) < speedupWindow:
		return
	}
	rate := float64(arrived-s.from) / now.Sub(s.begun).Seconds()
	switch {
	case rate < clearly*s.rate:
		s.settle(s.connections / 2)
	case s.connections == mostConnections || !long(left, rate):
		s.rate, s.proven = rate, true
		s.settle(s.connections)
	default:
		s.rate, s.proven = rate, true
		s.connections *= 2
		s.again()
	}
}

// again begins the measurement anew.
func (s *speedup) again() { s.parts, s.begun = 0, time.Time{} }

func (s *speedup) settle(connections int) {
	s.connections, s.settled = connections, true
}
