package dropship_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/lock"
)

// A line is a queue that tells who is in it.
type line struct {
	*queue
	tell func(ctx context.Context, own lock.Holder) ([]lock.Holder, error)
	own  lock.Holder
}

func (l *line) Acquire(ctx context.Context, req lock.Request) (lock.Lease, error) {
	l.own = req.Holder
	return l.queue.Acquire(ctx, req)
}

func (l *line) Line(ctx context.Context, _ string) ([]lock.Holder, error) { return l.tell(ctx, l.own) }

// Who asks why is told who is ahead at that moment, and not who was when the wait began.
func TestWhyAsksWhoIsAheadNow(t *testing.T) {
	t.Parallel()
	since := time.Date(2000, 1, 1, 2, 3, 4, 0, time.UTC)
	came := dropship.LocalTime(since)
	on := func(host string, holding bool) lock.Holder {
		return lock.Holder{Host: host, PID: 9, Service: "web", UpdateID: host, Holding: holding, Since: since}
	}
	for _, test := range []struct {
		name string
		tell func(ctx context.Context, own lock.Holder) ([]lock.Holder, error)
		want string
		none string // of this
	}{
		{"another holds by now", func(_ context.Context, own lock.Holder) ([]lock.Holder, error) {
			return []lock.Holder{on("web-08", true), on("web-09", false), own, on("web-10", false)}, nil
		}, "held by web-08 (pid 9, service web), in line since " + came + ", and 1 more ahead", "as of"},
		{"its turn has just come", func(_ context.Context, own lock.Holder) ([]lock.Holder, error) {
			return []lock.Holder{own, on("web-10", false)}, nil
		}, "asking locker in memory for a slot of group web, since " + bubbleStart, "web-"},
		{"only holders are known", func(context.Context, lock.Holder) ([]lock.Holder, error) {
			return []lock.Holder{on("web-08", true)}, nil
		}, "held by web-08", "more ahead"},
		{
			"it refuses", func(context.Context, lock.Holder) ([]lock.Holder, error) { return nil, errors.New("permission denied") },
			", as of " + bubbleStart + "; who is ahead now is not known: permission denied", "web-08",
		},
		{"it does not answer", func(ctx context.Context, _ lock.Holder) ([]lock.Holder, error) {
			<-ctx.Done()
			return nil, context.Cause(ctx)
		}, ", as of " + bubbleStart + "; who is ahead now is not known: no answer within 1s", "deadline"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.source.publish(pack(t, "1"), "r1")
				w.service.Turn = &dropship.Turn{Locker: &line{queue: w.queues(), tell: test.tell}, Group: "web", Slots: 1}
				a, _ := w.start(w.service)
				began := time.Now()
				got, err := a.Why(t.Context(), "web")
				if err != nil || !strings.Contains(got.Text, test.want) || strings.Contains(got.Text, test.none) {
					t.Errorf("got %+v, error %v, want %q and no %q", got, err, test.want, test.none)
				}
				if refused := strings.Contains(got.Text, "is not known"); refused != strings.Contains(got.Remedy, "mend the lock service") {
					t.Errorf("got remedy %q of %q", got.Remedy, got.Text)
				}
				if took := time.Since(began); took > time.Second {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}
