package dropship_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
)

// A witness remembers what it is told.
type witness struct {
	mu     sync.Mutex
	events []dropship.Event
}

func (w *witness) Observe(e dropship.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
}

// took returns what happened since the last call.
func (w *witness) took() []dropship.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	events := w.events
	w.events = nil
	return events
}

// told returns that in words, without the progress of downloads and what depends on the time.
func (w *witness) told() []string {
	var words []string
	for _, e := range w.took() {
		word := string(e.Type)
		switch e.Type {
		case dropship.Progress, dropship.Scheduled:
			continue
		case dropship.StepBegun, dropship.StepEnded:
			word += " " + string(e.Step)
		case dropship.HookBegun, dropship.HookEnded:
			word += fmt.Sprintf(" %s %d %s %s", e.Hook.Phase, e.Hook.Index, e.Hook.Name, e.Status)
		case dropship.Checked, dropship.UpdateEnded:
			word += " " + string(e.Outcome)
		}
		if e.By != "" {
			word += " by " + e.By
		}
		if e.Err != nil {
			word += " !"
		}
		words = append(words, word)
	}
	return words
}

func (w *world) witness() *witness {
	seen := new(witness)
	w.machine.Observe(seen)
	return seen
}

func wantWords(t *testing.T, got []string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestEventsOfAnUpdate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.takesTurns()
	w.service.Before = hooks.Chain{w.hook("stop", nil)}
	w.service.After = hooks.Chain{w.hook("start", func(ctx context.Context, _ hooks.Event) error {
		fmt.Fprintln(hooks.Output(ctx), "it runs")
		return nil
	})}
	seen := w.witness()
	w.source.publish(pack(t, "1"), "r1")
	r := w.mustUpdate(dropship.Updated)
	events := seen.took()
	for _, e := range events {
		if e.Service != "web" || e.UpdateID != r.UpdateID || e.Time.IsZero() {
			t.Errorf("got service %q, update %q, time %s in %s, want web, %s", e.Service, e.UpdateID, e.Time, e.Type, r.UpdateID)
		}
	}
	i := slices.IndexFunc(events, func(e dropship.Event) bool { return e.Type == dropship.HookEnded && e.Hook.Phase == hooks.After })
	if got := events[i].Hook.Output; got != "it runs\n" {
		t.Errorf("output: got %q", got)
	}
	if end := events[len(events)-1]; end.Hash != r.Hash || end.Took <= 0 {
		t.Errorf("at the end: got hash %q after %v, want %q", end.Hash, end.Took, r.Hash)
	}
	if i := slices.IndexFunc(events, func(e dropship.Event) bool {
		return e.Type == dropship.Progress && e.Done == e.Total && e.Done == int64(len(pack(t, "1")))
	}); i < 0 {
		t.Errorf("no progress says that all bytes have arrived: %+v", events)
	}
	seen.mu.Lock()
	seen.events = events
	seen.mu.Unlock()
	wantWords(t, seen.told(),
		"step-begun check", "step-ended check", "update-begun",
		"step-begun stage", "step-ended stage", "step-begun slot", "step-ended slot", "step-begun check", "step-ended check",
		"step-begun before", "hook-begun before 0 stop update", "hook-ended before 0 stop update", "step-ended before",
		"step-begun switch", "step-ended switch",
		"step-begun after", "hook-begun after 0 start update", "hook-ended after 0 start update", "step-ended after",
		"step-begun settle", "step-ended settle", "update-ended updated")

	w.mustUpdate(dropship.UpToDate)
	wantWords(t, seen.told(), "step-begun check", "step-ended check", "checked up to date")
	w.source.set(func(s *source) { s.err = errors.New("connection refused") })
	_, _ = w.update()
	wantWords(t, seen.told(), "step-begun check", "step-ended check !", "checked  !")
}

func TestEventsOfARollback(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.Updated)
	seen := w.witness()
	w.service.After = hooks.Chain{w.hook("check", func(_ context.Context, ev hooks.Event) error {
		if ev.Status == hooks.StatusUpdate {
			return errors.New("broken")
		}
		return nil
	})}
	w.source.publish(pack(t, "2"), "r2")
	if r, _ := w.update(); r.Outcome != dropship.RolledBack {
		t.Fatalf("got %q", r.Outcome)
	}
	wantWords(t, seen.told(),
		"step-begun check", "step-ended check", "update-begun", "step-begun stage", "step-ended stage",
		"step-begun before", "step-ended before", "step-begun switch", "step-ended switch",
		"step-begun after", "hook-begun after 0 check update", "hook-ended after 0 check update !", "step-ended after !",
		"step-begun before", "step-ended before", "step-begun switch", "step-ended switch",
		"step-begun after", "hook-begun after 0 check rollback", "hook-ended after 0 check rollback", "step-ended after",
		"step-begun settle", "step-ended settle", "update-ended rolled back !")
}

// A subscriber that does not listen holds nobody up, and is told by the end of its events.
func TestHubDropsWhoDoesNotListen(t *testing.T) {
	t.Parallel()
	var h dropship.Hub
	slow, cancelSlow := h.Subscribe()
	quick, cancelQuick := h.Subscribe()
	defer cancelSlow()
	defer cancelQuick()
	for i := range 2000 {
		h.Observe(dropship.Event{Type: dropship.Checked, Done: int64(i)})
		if e := <-quick; e.Done != int64(i) {
			t.Fatalf("got event %d, want %d", e.Done, i)
		}
	}
	n := 0
	for range slow {
		n++
	}
	if n == 0 || n >= 2000 {
		t.Errorf("got %d events before the end, want some and not all", n)
	}
	cancelQuick()
	if _, ok := <-quick; ok {
		t.Error("got an event after the end of the subscription")
	}
}
