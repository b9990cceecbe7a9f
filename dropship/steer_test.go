package dropship_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/lock"
)

// A queue is a locker whose only slot is held by another machine until it is free.
type queue struct {
	locker
	free chan struct{}
	came atomic.Int32 // how often somebody came into line
}

func (q *queue) Acquire(ctx context.Context, req lock.Request) (lock.Lease, error) {
	select {
	case <-q.free:
		return q.locker.Acquire(ctx, req)
	default:
	}
	q.came.Add(1)
	ahead := []lock.Holder{{Host: "web-07", PID: 12, Service: "web", Since: time.Now().Add(-time.Minute), Holding: true}}
	req.Waiting(ahead)
	select {
	case <-q.free:
		return q.locker.Acquire(ctx, req)
	case <-ctx.Done():
		return nil, &lock.BusyError{Group: req.Group, Ahead: ahead, Cause: context.Cause(ctx)}
	}
}

func (w *world) queues() *queue {
	q := &queue{free: make(chan struct{})}
	w.service.Turn = &dropship.Turn{Locker: q, Group: "web", Slots: 1}
	return q
}

// quarantinesBad has the machine know a hash that failed on it.
func (w *world) quarantinesBad() {
	w.t.Helper()
	st := w.state()
	st.Quarantine = append(st.Quarantine, dropship.Quarantined{Hash: md5Hex([]byte("bad")), UpdateID: "x"})
	if err := w.machine.Store.Save(st); err != nil {
		w.t.Fatal(err)
	}
}

func status(t *testing.T, a *dropship.Agent) dropship.Status {
	t.Helper()
	st, ok := a.Status("web")
	if !ok {
		t.Fatal("the agent does not keep web")
	}
	return st
}

func TestCheckNow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.service.CheckInterval = time.Hour
		w.source.publish(pack(t, "1"), "r1")
		a, _ := w.start(w.service)
		began := time.Now()
		if e, err := a.Check(t.Context(), "web"); err != nil || e.Outcome != dropship.UpToDate {
			t.Errorf("got %+v, %v, want up to date", e, err)
		}
		w.source.publish(pack(t, "2"), "r2")
		if e, err := a.Check(t.Context(), "web"); err != nil || e.Type != dropship.UpdateBegun || e.Hash != md5Hex(pack(t, "2")) {
			t.Errorf("got %+v, %v, want an update that has begun", e, err)
		}
		synctest.Wait()
		w.wantLive("2")
		if took := time.Since(began); took > time.Second {
			t.Errorf("it took %s", took)
		}
		if _, err := a.Check(t.Context(), "wbe"); !errors.Is(err, dropship.ErrUnknownService) {
			t.Errorf("got error %v, want ErrUnknownService", err)
		}
	})
}

// A rollback does not wait behind an update that waits for its turn, and its own wait can be given up.
func TestRollbackOfAServiceThatWaitsForItsTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.source.publish(pack(t, "1"), "r1")
		w.mustUpdate(dropship.Updated)
		time.Sleep(time.Second) // releases are told apart by the time of their staging
		w.source.publish(pack(t, "2"), "r2")
		w.mustUpdate(dropship.Updated)
		time.Sleep(time.Second)
		q := w.queues()
		w.source.publish(pack(t, "3"), "r3")
		a, _ := w.start(w.service)
		if st := status(t, a); st.Reason.Code != dropship.ReasonWaiting || !strings.Contains(st.Reason.Text, "web-07") {
			t.Errorf("got reason %+v, want that it waits behind web-07", st.Reason)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { _, err := a.Rollback(ctx, "web", ann); ended <- err }()
		synctest.Wait()
		if st := status(t, a); st.Activity == nil || st.Activity.Status != hooks.StatusRollback || st.Activity.By != ann.By {
			t.Errorf("got activity %+v, want a rollback", st.Activity)
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("given up: got error %v", err)
		}
		synctest.Wait()
		w.wantLive("2")

		go func() { _, err := a.Rollback(t.Context(), "web", ann); ended <- err }()
		synctest.Wait()
		close(q.free)
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		w.wantLive("1") // and not 3, which was about to come
		if st := status(t, a); st.Reason.Code != dropship.ReasonQuarantined || len(st.Quarantined) != 2 {
			t.Errorf("got %+v, quarantined %+v, want 2 and 3 to be", st.Reason, st.Quarantined)
		}
		if _, err := a.Retry(t.Context(), "web", "ann@web-01"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.wantLive("3")
	})
}

// Who asks a service that waits for hours is answered at once, and costs it its place in line only where that is needed.
func TestAServiceThatWaitsForItsTurnKeepsItsPlace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		q := w.queues()
		w.source.publish(pack(t, "1"), "r1")
		a, _ := w.start(w.service)
		if _, err := a.Retry(t.Context(), "web", "ann@web-01"); err != nil {
			t.Error(err)
		}
		if e, err := a.Check(t.Context(), "web"); err != nil || e.Type != dropship.UpdateBegun || e.Hash != md5Hex(pack(t, "1")) {
			t.Errorf("check: got %+v, %v, want the update that waits", e, err)
		}
		if _, err := a.Rollback(t.Context(), "web", ann); !errors.Is(err, dropship.ErrNoRelease) {
			t.Errorf("rollback: got %v, want ErrNoRelease", err)
		}
		synctest.Wait()
		if n := q.came.Load(); n != 1 {
			t.Errorf("it came into line %d times, want once", n)
		}
		w.quarantinesBad()
		if freed, err := a.Retry(t.Context(), "web", "ann@web-01"); err != nil || len(freed) != 1 {
			t.Errorf("retry: got %+v, %v, want what was quarantined", freed, err)
		}
		close(q.free)
		synctest.Wait()
		w.wantLive("1")
	})
}

// A queueWithBoard is a queue of machines that tell each other what failed.
type queueWithBoard struct {
	*queue
	*board
}

// What the group knows to have failed is tried again also where a machine waits for its turn, which it keeps.
func TestRetryOfTheGroupByAMachineThatWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, b := newWorld(t), newBoard()
		q := w.queues()
		w.service.Turn.Locker = queueWithBoard{q, b}
		w.source.publish(pack(t, "1"), "r1")
		a, _ := w.start(w.service)
		synctest.Wait()
		hash := md5Hex(pack(t, "1"))
		if _, err := b.Quarantine(t.Context(), "web", lock.Quarantine{
			Service: "web", Hash: hash, Revision: "r1", Host: "web-07", UpdateID: "x", Since: time.Now(),
		}); err != nil {
			t.Fatal(err)
		}
		b.set(func(b *board) { b.err = errors.New("no answer") })
		if _, err := a.Retry(t.Context(), "web", "ann@web-01"); !errors.Is(err, dropship.ErrNotLifted) {
			t.Errorf("with a board that is gone: got %v, want ErrNotLifted", err)
		}
		b.set(func(b *board) { b.err = nil })
		freed, err := a.Retry(t.Context(), "web", "ann@web-01")
		if err != nil || len(freed) != 1 || freed[0].Hash != hash {
			t.Errorf("got %+v, %v, want what the group knew", freed, err)
		}
		close(q.free)
		synctest.Wait()
		w.wantLive("1")
		if n := q.came.Load(); n != 1 {
			t.Errorf("it came into line %d times, want once", n)
		}
	})
}

// An attempt that is given up for what a person asks for is no end of what made the attempts before it fail.
func TestAnAbandonedAttemptEndsNoTrouble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		q := w.queues()
		w.source.publish(pack(t, "1"), "r1")
		w.source.set(func(s *source) { s.err = errors.New("connection refused") })
		a, _ := w.start(w.service)
		synctest.Wait()
		w.source.set(func(s *source) { s.err = nil })
		time.Sleep(2 * time.Minute)
		w.quarantinesBad()
		if _, err := a.Retry(t.Context(), "web", "ann@web-01"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n, over := q.came.Load(), strings.Count(w.log.String(), "trouble is over"); n != 2 || over != 0 {
			t.Errorf("it came into line %d times, and its trouble was over %d times; want 2 and none", n, over)
		}
		close(q.free)
		synctest.Wait()
		if over := strings.Count(w.log.String(), "trouble is over"); over != 1 {
			t.Errorf("after the update its trouble was over %d times, want once", over)
		}
	})
}

// What a person asks for while hooks run is done when the update is through.
func TestRollbackWaitsForHooksAndCutsTheHoldShort(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.takesTurns()
		w.source.publish(pack(t, "1"), "r1")
		w.mustUpdate(dropship.Updated)
		time.Sleep(time.Second)
		w.service.UpdateTTL = time.Hour
		w.service.After = hooks.Chain{w.hook("start", func(_ context.Context, ev hooks.Event) error {
			if ev.Status == hooks.StatusUpdate {
				time.Sleep(10 * time.Second)
			}
			return nil
		})}
		w.source.publish(pack(t, "2"), "r2")
		a, _ := w.start(w.service)
		began := time.Now()
		ended := make(chan error)
		go func() { _, err := a.Rollback(t.Context(), "web", ann); ended <- err }()
		// The release that is put back is held, too, for its hour.
		synctest.Wait()
		time.Sleep(11 * time.Second)
		synctest.Wait()
		w.wantLive("1")
		w.wantRan("after start update", "after start rollback")
		if st := status(t, a); st.Activity == nil || st.Activity.Step != dropship.StepHold {
			t.Errorf("got activity %+v, want the hold", st.Activity)
		}
		time.Sleep(time.Hour)
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took > time.Hour+time.Minute {
			t.Errorf("it took %s", took)
		}
	})
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		q := w.queues()
		w.source.publish(pack(t, "1"), "r1")
		a, stop := w.start(w.service)
		if updating, err := a.Pause("web", dropship.Pause{By: "ann@web-01", Reason: "freeze"}); err != nil || updating {
			t.Fatalf("got %v, %v", updating, err)
		}
		synctest.Wait()
		close(q.free) // its turn comes, and it stands in line no more
		time.Sleep(time.Minute)
		w.wantLive("")
		if st := status(t, a); st.Reason.Code != dropship.ReasonPaused || !strings.Contains(st.Reason.Text, "paused by ann@web-01 since ") || !strings.HasSuffix(st.Reason.Text, ": freeze") {
			t.Errorf("got reason %+v", st.Reason)
		}
		stop()
		w.restart()
		a, _ = w.start(w.service)
		time.Sleep(time.Minute)
		w.wantLive("")
		if !strings.Contains(w.log.String(), "level=WARN msg=\"paused: not updated until it is resumed\"") {
			t.Errorf("a start does not say that the service is paused:\n%s", w.log)
		}
		p, err := a.Resume("web", "ben@web-01")
		if err != nil || p == nil || p.Reason != "freeze" {
			t.Errorf("got %+v, %v", p, err)
		}
		synctest.Wait()
		w.wantLive("1")
		if p, err := a.Resume("web", "ben@web-01"); err != nil || p != nil {
			t.Errorf("resumed twice: got %+v, %v", p, err)
		}
	})
}

func TestPauseEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.source.publish(pack(t, "1"), "r1")
		a, _ := w.start(w.service)
		if _, err := a.Pause("web", dropship.Pause{By: "ann@web-01", Until: time.Now().Add(10 * time.Minute)}); err != nil {
			t.Fatal(err)
		}
		w.source.publish(pack(t, "2"), "r2")
		time.Sleep(9 * time.Minute)
		w.wantLive("1")
		time.Sleep(2 * time.Minute)
		w.wantLive("2")
	})
}

// stopsSlowly publishes a release whose before chain takes ten seconds.
func (w *world) stopsSlowly() {
	w.service.Before = hooks.Chain{w.hook("stop", func(context.Context, hooks.Event) error {
		time.Sleep(10 * time.Second)
		return nil
	})}
	w.source.publish(pack(w.t, "1"), "r1")
}

// An update whose hooks have begun is completed, and a pause says so.
func TestPauseStopsNoUpdateInTheMiddle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.stopsSlowly()
		a, _ := w.start(w.service)
		if updating, err := a.Pause("web", dropship.Pause{By: "ann@web-01"}); err != nil || !updating {
			t.Errorf("got %v, %v, want that an update is completed first", updating, err)
		}
		time.Sleep(11 * time.Second)
		w.wantLive("1")
		w.source.publish(pack(t, "2"), "r2")
		time.Sleep(time.Minute)
		w.wantLive("1")
	})
}

// Nobody waits for ever for an agent that stops.
func TestWhatIsAskedOfAnAgentThatStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.stopsSlowly()
		a, stop := w.start(w.service)
		ended := make(chan error)
		go func() { _, err := a.Retry(t.Context(), "web", ann.By); ended <- err }()
		synctest.Wait()
		go stop()
		if err := <-ended; err == nil || !strings.Contains(err.Error(), "stopping") {
			t.Errorf("got error %v", err)
		}
		if _, err := a.Check(t.Context(), "web"); err == nil {
			t.Error("a stopped agent checks")
		}
	})
}
