package dropship

import (
	"fmt"
	"sync"
	"time"
)

// attemptsCap bounds the wait before a revision that failed is tried again.
const attemptsCap = 15 * time.Minute

// attempts remembers, as long as the process lives, which revision of a service failed in a way that costs
// something at each try: a download, or hooks that stop and start the application. It is tried again less
// and less often, while checks go on as ever, so that another revision is noticed at once. A service that is
// configured anew begins anew, and so does one that a person wants to be retried. The zero value is ready. Safe for concurrent use.
type attempts struct {
	mu sync.Mutex
	m  map[string]attempt
}

type attempt struct {
	fingerprint, revision string
	retried               time.Time // State.Retried at that time
	failures              int
	next                  time.Time // not again before
	err                   *StepError
}

// of reports whether the attempt counts for this one.
func (a attempt) of(s *Service, revision string, retried time.Time) bool {
	return a.fingerprint == s.Fingerprint && a.revision == revision && a.retried.Equal(retried)
}

// early returns why a revision is not tried now, or nil.
func (a *attempts) early(s *Service, revision string, retried time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	last, ok := a.m[s.Name]
	if !ok || !last.of(s, revision, retried) {
		return nil
	}
	wait := time.Until(last.next)
	if wait <= 0 {
		return nil
	}
	return &StepError{last.err.Step, &HeldBackError{Err: last.err.Err, Until: last.next}}
}

// A HeldBackError is why a revision that failed is not tried now.
type HeldBackError struct {
	Err   error     // of the last try
	Until time.Time // when the next one is due
}

func (e *HeldBackError) Error() string {
	return fmt.Sprintf("%v (tried again in %s, or at once when another artifact is published)", e.Err, time.Until(e.Until).Round(time.Second))
}

func (e *HeldBackError) Unwrap() error { return e.Err }

// failed notes a failure.
func (a *attempts) failed(s *Service, revision string, retried time.Time, err *StepError) {
	a.mu.Lock()
	defer a.mu.Unlock()
	last := a.m[s.Name]
	if !last.of(s, revision, retried) {
		last = attempt{fingerprint: s.Fingerprint, revision: revision, retried: retried}
	}
	last.failures++
	last.err = err
	if last.failures > 1 { // the next check comes late enough for a second try
		last.next = time.Now().Add(backoff(s.CheckInterval, attemptsCap, last.failures-1))
	}
	if a.m == nil {
		a.m = make(map[string]attempt)
	}
	a.m[s.Name] = last
}

// forget lets everything be tried again.
func (a *attempts) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.m)
}

// succeeded forgets a service's failures.
func (a *attempts) succeeded(s *Service) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.m, s.Name)
}
