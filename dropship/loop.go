package dropship

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"regexp"
	"runtime"
	"sync"
	"time"

	"github.com/dropship/dropship/artifact"
)

const (
	// backoffCap bounds the wait after failures, where the check interval is not longer itself.
	backoffCap = time.Minute
	// repeatAfter is how long the same trouble stays silent after it was logged.
	repeatAfter = time.Minute
	// jitter is how far a wait may be off, up or down, so that a fleet does not poll in step.
	jitter = 0.1
	// beat is what the ends of waits have in common: a process that wakes up ten times a second, for ten checks each,
	// needs little more than half the time of one that wakes up for each of the hundred.
	beat = 100 * time.Millisecond
)

// A loop keeps one service up to date.
type loop struct {
	service *Service
	m       *Machine
	log     *slog.Logger
	began   time.Time // the agent
	first   firsts
	stop    context.CancelFunc
	done    chan struct{} // closed when the loop has ended

	mu      sync.Mutex
	asked   []func(context.Context) // what persons want done, in order
	wake    chan struct{}           // has an element when asked has
	giveWay context.CancelCauseFunc // of the update under way; nil: none is

	due      time.Time // when the last check was to be; zero: it was the first, or a person's wish
	failures int       // in a row
	busy     time.Time // since when another process works on the service; zero: none does
	trouble  trouble
}

// run checks at once, or as soon as few others are at their first check, then on the service's interval, until ctx ends.
func (l *loop) run(ctx context.Context) {
	leave := sync.OnceFunc(l.first.enter(ctx))
	defer leave()
	l.logPause(ctx)
	for ctx.Err() == nil {
		attempt, end := l.begin(ctx)
		if attempt == nil {
			l.due = time.Time{}
			l.obey(ctx)
			continue
		}
		r, err := l.update(attempt)
		leave()
		gaveWay := abandoned(attempt, err)
		end()
		if gaveWay {
			l.report(ctx, r, nil)
			continue
		}
		l.report(ctx, r, err)
		l.wait(ctx, l.next(r, err))
	}
}

// update updates the service on a goroutine of its own. A request needs a stack of many times what a wait needs, which
// would stay with the loop: in an agent with a thousand services that is a third of its memory.
func (l *loop) update(ctx context.Context) (r Result, err error) {
	ended, returned := make(chan struct{}), false
	go func() {
		defer close(ended)
		r, err = l.service.Update(ctx, l.m)
		returned = true
	}()
	<-ended
	if !returned {
		runtime.Goexit() // as it did; Alive tells
	}
	return r, err
}

// wait waits until the next check is due, or a person wants something, or ctx ends.
func (l *loop) wait(ctx context.Context, d time.Duration) {
	d = l.toBeat(d)
	next := time.Now().Add(d)
	l.m.emit(Event{Type: Scheduled, Service: l.service.Name, Next: next})
	timer := time.NewTimer(d)
	defer timer.Stop()
	l.due = time.Time{}
	select {
	case <-timer.C:
		l.due = next
	case <-ctx.Done():
	case <-l.wake:
	}
}

// next returns the wait until the next check. Many services are checked in the same moment at a start, when a person
// has all of them checked, and by the end of an outage: so what comes after such a check is anywhere within the
// interval, and from then on they are spread over it, those of a fleet, too.
func (l *loop) next(r Result, err error) time.Duration {
	if err == nil || errors.Is(err, ErrServiceBusy) {
		inStep := l.due.IsZero() || l.failures > 0
		l.failures = 0
		switch {
		case r.Outcome == Recovered:
			return 0
		case inStep:
			return time.Duration(rand.Float64() * float64(l.service.CheckInterval))
		default:
			// Counted from when the check was due: those that had to wait for a busy store would come together again.
			wait := jittered(l.service.CheckInterval)
			return max(wait-time.Since(l.due), wait/2)
		}
	}
	l.failures++
	return max(jittered(backoff(l.service.CheckInterval, backoffCap, l.failures)), artifact.RetryAfter(err))
}

// toBeat makes a wait up to a hundredth of the interval longer, so that it ends together with those of other services.
func (l *loop) toBeat(d time.Duration) time.Duration {
	step := min(beat, l.service.CheckInterval/100)
	if d == 0 || step == 0 {
		return d
	}
	past := (time.Since(l.began) + d) % step
	return d + (step-past)%step
}

// backoff returns the wait after so many failures in a row: the interval, doubled by each further
// failure up to the limit. An interval that is longer than that already stays as it is.
func backoff(interval, limit time.Duration, failures int) time.Duration {
	limit = max(interval, limit)
	wait := interval
	for i := 1; i < failures && wait < limit; i++ {
		wait *= 2
	}
	return min(wait, limit)
}

func jittered(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (1 - jitter + 2*jitter*rand.Float64()))
}

// sleep waits, and reports whether it waited to the end.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// report logs what came of an update: a change of state at info, nothing to do at debug, trouble as
// often as an operator can bear.
func (l *loop) report(ctx context.Context, r Result, err error) {
	if l.stillFine(err) {
		l.log.DebugContext(ctx, "another process works on this service: waiting for the next check")
		return
	}
	log := l.log
	if r.UpdateID != "" {
		log = log.With("update_id", r.UpdateID)
	}
	var step *StepError
	switch {
	case r.Outcome == RolledBack:
		log.ErrorContext(ctx, "update rolled back", "installed", r.Hash, "quarantined", r.PreviousHash, "error", errors.Unwrap(err))
		return
	case r.Outcome == Failed:
		log.ErrorContext(ctx, "update failed: this machine needs another artifact, or a person", "installed", r.Hash, "error", errors.Unwrap(err))
		return
	case errors.As(err, &step):
		l.trouble.report(ctx, log, step)
		return
	}
	if r.Outcome == "" { // it was abandoned, which says nothing about the trouble that there is
		return
	}
	l.trouble.over(ctx, log)
	switch r.Outcome {
	case Updated:
		log.InfoContext(ctx, "updated", "hash", r.Hash, "previous_hash", r.PreviousHash, "took", r.Took.Round(time.Millisecond))
	case Held:
		log.DebugContext(ctx, "there is something new, and the service is paused", "detail", r.Detail)
	case Recovered:
		log.InfoContext(ctx, "recovered from an interrupted update")
	case Quarantine:
		l.reportQuarantine(ctx, log, r)
	case UpToDate:
		log.DebugContext(ctx, "up to date", "hash", r.Hash)
	}
}

// reportQuarantine says once why the repository's hash is left alone, and what a person can do about it.
func (l *loop) reportQuarantine(ctx context.Context, log *slog.Logger, r Result) {
	here := r.Host == "" || r.Host == l.m.Hostname
	log = log.With("quarantined", r.Quarantined)
	if !l.m.once(l.service.Name, "quarantine", r.Detail) {
		if here {
			log.DebugContext(ctx, "the repository holds a hash that failed here")
		} else {
			log.DebugContext(ctx, "the repository holds a hash that failed on another machine", "host", r.Host)
		}
		return
	}
	log = log.With("installed", r.Hash, "reason", r.Detail,
		"to_try_again", "publish another artifact, or run dropship retry "+l.service.Name)
	if here {
		log.WarnContext(ctx, "the repository holds a hash that failed here: waiting for another one")
	} else {
		log.WarnContext(ctx, "the repository holds a hash that failed on another machine: waiting for another one", "host", r.Host)
	}
}

// stillFine reports whether err only says that another process works on the service, and has not for long:
// an apply beside the agent is nothing to worry about, one that hangs is.
func (l *loop) stillFine(err error) bool {
	if !errors.Is(err, ErrServiceBusy) {
		l.busy = time.Time{}
		return false
	}
	if l.busy.IsZero() {
		l.busy = time.Now()
	}
	return time.Since(l.busy) < repeatAfter
}

// trouble logs the same error once a minute, and the end of it all once.
type trouble struct {
	since    time.Time            // of the first failure; zero: no trouble
	step     Step                 // of the last one
	logged   map[string]time.Time // when each error was logged last
	repeated int                  // failures since then that were not logged
}

// distinctErrors bounds what is remembered of a trouble with many faces.
const distinctErrors = 20

// varying is what differs between two texts of the same error: words with digits in them are port numbers,
// request ids, times to wait.
var varying = regexp.MustCompile(`\S*\d\S*`)

func (t *trouble) report(ctx context.Context, log *slog.Logger, err *StepError) {
	now := time.Now()
	if t.since.IsZero() || len(t.logged) > distinctErrors {
		t.logged = make(map[string]time.Time)
	}
	if t.since.IsZero() {
		t.since = now
	}
	t.step = err.Step
	key := varying.ReplaceAllString(err.Error(), "#")
	if last, ok := t.logged[key]; ok && now.Sub(last) < repeatAfter {
		t.repeated++
		return
	}
	log.ErrorContext(ctx, "cannot update", "step", string(err.Step), "error", err.Err, "repeated", t.repeated)
	t.logged[key], t.repeated = now, 0
}

func (t *trouble) over(ctx context.Context, log *slog.Logger) {
	if t.since.IsZero() {
		return
	}
	log.InfoContext(ctx, "trouble is over", "step", string(t.step), "lasted", time.Since(t.since).Round(time.Second))
	*t = trouble{}
}
