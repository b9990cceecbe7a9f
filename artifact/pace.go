package artifact

import "time"

const (
	paceWindow = 500 * time.Millisecond
	// A faster connection is no slow one: there it is the reader that more would wait for.
	fastest = 32 << 20 // bytes a second
	// How much must be left of a download for more connections to be worth a try: else it is over before they are of use.
	leastLeft     = 8 << 20
	leastLeftTime = 2 * time.Second
	// What was of no use is left alone for that long at first, then for twice as long each time.
	firstPause = time.Minute
)

// long reports whether so many bytes last long at so many a second.
func long(left int64, rate float64) bool {
	return left >= leastLeft && float64(left) >= rate*leastLeftTime.Seconds()
}

// A pace is how fast a connection is, measured over a window after another. The first one does not count: the
// connection comes up to speed.
type pace struct {
	begun  time.Time // of the window; zero: none has
	warm   bool      // the first one is over
	bytes  int64
	waited time.Duration // for the repository
	whole  bool          // the window is over
	rate   float64       // bytes a second in it
	answer time.Duration // until the connection was open
	idle   bool          // and nearly all of it was spent waiting for the repository
}

// add is told of each read.
func (p *pace) add(n int, waited time.Duration) {
	now := time.Now()
	if p.begun.IsZero() || p.whole {
		if p.begun.IsZero() {
			p.answer = waited
		}
		*p = pace{begun: now, warm: p.whole, answer: p.answer}
		return
	}
	p.bytes += int64(n)
	p.waited += waited
	took := now.Sub(p.begun)
	if took < paceWindow {
		return
	}
	p.whole = true
	p.rate = float64(p.bytes) / took.Seconds()
	p.idle = p.waited >= took*3/4
}

// slow reports whether more connections might be faster for the rest. They are not where a connection waits for the
// answers to its requests for half as long as for their bytes.
func (p *pace) slow(left int64) bool {
	return p.whole && p.warm && p.idle && p.rate > 0 && p.rate < fastest && long(left, p.rate) &&
		p.answer.Seconds()*p.rate < float64(partLength(p.rate))/2
}
