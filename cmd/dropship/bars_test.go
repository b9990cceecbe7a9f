package main

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mattn/go-runewidth"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/lock"
)

// flood is a command that logs 400 lines from all sides while its bars are shown, hidden, and gone.
func flood() {
	log := &logAbove{w: os.Stderr}
	b := newBars(os.Stderr, false, []*dropship.Service{{Name: "web"}})
	b.Observe(dropship.Event{Service: "web", Time: time.Now(), Type: dropship.StepBegun, Step: dropship.StepCheck})
	log.show(b)
	tick := time.NewTicker(time.Millisecond)
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 100 {
				<-tick.C
				if i == 0 && j == 50 {
					log.hide()
				}
				fmt.Fprintf(log, "line %d\n", 100*i+j)
			}
		})
	}
	wg.Wait()
	log.hide()
}

// seen returns a line after these events, each a second after the one before.
func seen(s *dropship.Service, events ...dropship.Event) (l *line, end time.Time) {
	l = newLine(s)
	for i, e := range events {
		end = now.Add(time.Duration(i) * time.Second)
		e.Time, e.Service = end, s.Name
		l.observe(e)
	}
	return l, end.Add(2 * time.Second)
}

func begun(step dropship.Step) dropship.Event {
	return dropship.Event{Type: dropship.StepBegun, Step: step}
}

func hookBegun(phase hooks.Phase, i int, status hooks.Status, name string) dropship.Event {
	return dropship.Event{Type: dropship.HookBegun, Status: status, Hook: &dropship.HookEvent{Phase: phase, Index: i, Name: name}}
}

func progress(done, total, unpacked int64) dropship.Event {
	return dropship.Event{Type: dropship.Progress, Done: done, Total: total, Unpacked: unpacked}
}

func TestLineOfAService(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	s := &dropship.Service{Name: "web", Before: make(hooks.Chain, 1), After: make(hooks.Chain, 3), UpdateTTL: 30 * time.Second}
	update := dropship.Event{Type: dropship.UpdateBegun, Status: hooks.StatusUpdate}
	for _, test := range []struct {
		name   string
		events []dropship.Event
		want   string
	}{
		{"check", []dropship.Event{begun(dropship.StepCheck)}, "checking                                                            2s"},
		{"no download yet", []dropship.Event{update, begun(dropship.StepStage)}, "waiting for other downloads"},
		{"download", []dropship.Event{update, begun(dropship.StepStage), progress(1*mib, 10*mib, mib), progress(5*mib, 10*mib, 4*mib)}, "downloading  [============>           ] 5.0 MiB of 10.0 MiB  1.2 MiB/s"},
		{"no size", []dropship.Event{update, begun(dropship.StepStage), progress(5*mib, -1, 0)}, "downloading 5.0 MiB                                          1.7 MiB/s"},
		{"unpacking", []dropship.Event{update, begun(dropship.StepStage), progress(10*mib, 10*mib, 38*mib)}, "downloaded 10.0 MiB, unpacking: 38.0 MiB"},
		{"waiting", []dropship.Event{update, begun(dropship.StepSlot), {Type: dropship.Waiting, Ahead: []lock.Holder{{Host: "web-07"}, {Host: "web-12"}}}}, "waiting behind web-07 and 1 more                                    3s"},
		{"before", []dropship.Event{update, begun(dropship.StepBefore), hookBegun(hooks.Before, 0, hooks.StatusUpdate, "script: stop")}, "before 1/1  script: stop                                            2s"},
		{"after", []dropship.Event{update, begun(dropship.StepAfter), hookBegun(hooks.After, 2, hooks.StatusUpdate, "http-check http://127.0.0.1/")}, "after 3/3  http-check http://127.0.0.1/                             2s"},
		{"rollback", []dropship.Event{update, begun(dropship.StepAfter), hookBegun(hooks.After, 0, hooks.StatusRollback, "script: start")}, "rolling back: after 1/3  script: start                              2s"},
		{"hold", []dropship.Event{update, begun(dropship.StepHold)}, "updated; keeps the slot for 28s"},
		{"ended", []dropship.Event{update, begun(dropship.StepSettle), {Type: dropship.UpdateEnded, Outcome: dropship.RolledBack}}, "rolled back"},
	} {
		l, at := seen(s, test.events...)
		if got, _ := l.text(70, at); got != test.want {
			t.Errorf("%s:\ngot  %q\nwant %q", test.name, got, test.want)
		}
	}
}

// However wide or narrow the terminal is, whatever is in the names: a line is a line, and acts on nothing.
func TestBarsFit(t *testing.T) {
	t.Parallel()
	b := newBars(nil, false, nil)
	var end time.Time
	for i, name := range []string{"web", "猫-the-service-with-the-longest-name-of-all-of-them", hostile} {
		s := &dropship.Service{Name: name, Before: make(hooks.Chain, 1)}
		for _, events := range [][]dropship.Event{
			{begun(dropship.StepStage), progress(1<<40, 1<<41, 1)},
			{begun(dropship.StepStage), progress(0, 0, 0)},
			{begun(dropship.StepSlot), {Type: dropship.Waiting, Ahead: []lock.Holder{{Host: hostile}}}},
			{begun(dropship.StepBefore), hookBegun(hooks.Before, i, hooks.StatusFailed, "script: "+hostile+strings.Repeat("猫", 100))},
		} {
			l, at := seen(s, events...)
			b.lines, end = append(b.lines, l), at
		}
	}
	for width := 1; width < 300; width++ {
		for height := -1; height < 15; height++ {
			all := b.draw(width, height, end)
			if len(all) > max(height, 1) || len(all) == 0 {
				t.Fatalf("%d rows: got %d lines", height, len(all))
			}
			for _, text := range all {
				if w := runewidth.StringWidth(text); w > max(min(width-1, widest), 0) || text != dropship.Printable(text) {
					t.Fatalf("%d columns: got %d of them, and %q", width, w, text)
				}
			}
		}
	}
}

// Services without anything to install have a line only while they are looked at; one that failed keeps it.
func TestBarsOfServicesThatAreThrough(t *testing.T) {
	t.Parallel()
	b := newBars(nil, false, nil)
	for name, last := range map[string]dropship.Event{
		"same": {Type: dropship.Checked, Outcome: dropship.UpToDate},
		"gone": {Type: dropship.Checked, Err: dropship.ErrServiceBusy},
	} {
		l, _ := seen(&dropship.Service{Name: name}, begun(dropship.StepCheck), last)
		b.lines = append(b.lines, l)
	}
	if diff := cmp.Diff([]string{"gone  not updated"}, b.draw(80, 24, now)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	b.lines = nil
	if diff := cmp.Diff([]string{""}, b.draw(80, 24, now)); diff != "" {
		t.Errorf("nothing (-want +got):\n%s", diff)
	}
}
