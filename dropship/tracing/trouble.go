package tracing

import (
	"log/slog"
	"sync"
	"time"
)

// repeatAfter is how long trouble stays silent after it was logged.
const repeatAfter = time.Minute

// trouble logs that spans cannot be sent, at most once a minute, and the end of that once.
type trouble struct {
	logger *slog.Logger
	to     string

	mu     sync.Mutex
	said   bool      // that there is trouble, and not yet that it is over
	logged time.Time // when trouble was said last
	lost   int64     // spans, since then
	last   error
}

// failed notes an error, and how many spans are lost with it.
func (t *trouble) failed(err error, lost int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = err
	t.lost += lost
	if t.logged.IsZero() || time.Since(t.logged) >= repeatAfter {
		t.say()
	}
}

func (t *trouble) say() {
	t.logger.Warn("cannot send traces", "to", t.to, "error", t.last, "spans_lost", t.lost)
	t.said, t.logged, t.lost = true, time.Now(), 0
}

// over notes that spans were sent.
func (t *trouble) over() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.said {
		t.logger.Info("traces are sent again", "to", t.to, "spans_lost", t.lost)
		t.said, t.lost = false, 0
	}
}

// end says which spans are lost that it did not say yet.
func (t *trouble) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lost > 0 {
		t.say()
	}
}
