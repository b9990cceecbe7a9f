package metrics_test

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/dropship/metrics"
	"github.com/dropship/dropship/hooks"
)

// An agent has one status for each service.
type agent []dropship.Status

func (a agent) Statuses() []dropship.Status { return a }

func (agent) Rejected() *dropship.Rejected { return nil }

var web = agent{{Name: "web"}}

// counted returns the samples of some metrics that are not 0, as text.
func counted(m *metrics.Meter, a metrics.Agent, of ...*metrics.Metric) []string {
	var all []string
	for _, s := range m.Collect(a) {
		if slices.Contains(of, s.Metric) && (s.Value != 0 || s.Count != 0) {
			all = append(all, fmt.Sprint(s.Values, " ", s.Value, " ", s.Count))
		}
	}
	return all
}

func TestEvents(t *testing.T) {
	t.Parallel()
	ended := func(status hooks.Status, o dropship.Outcome) dropship.Event {
		return dropship.Event{Type: dropship.UpdateEnded, Status: status, Outcome: o}
	}
	checked := func(o dropship.Outcome, err error) dropship.Event {
		return dropship.Event{Type: dropship.Checked, Outcome: o, Err: err}
	}
	read := func(done int64) dropship.Event { return dropship.Event{Type: dropship.Progress, Done: done} }
	stage := dropship.Event{Type: dropship.StepBegun, Step: dropship.StepStage}
	hook := func(index int, name string, err error) dropship.Event {
		return dropship.Event{Type: dropship.HookEnded, Hook: &dropship.HookEvent{Phase: hooks.After, Index: index, Name: name}, Took: dropship.Seconds(time.Second), Err: err}
	}
	tests := []struct {
		name   string
		events []dropship.Event
		of     []*metrics.Metric
		want   []string
	}{
		{
			"checks",
			[]dropship.Event{
				checked(dropship.UpToDate, nil), checked(dropship.UpToDate, nil), checked(dropship.Held, nil), checked(dropship.Quarantine, nil),
				checked("", errors.New("no route")), checked("", fmt.Errorf("state: %w", dropship.ErrServiceBusy)), checked(dropship.Abandoned, nil),
				{Type: dropship.UpdateBegun, Status: hooks.StatusUpdate},
				{Type: dropship.UpdateBegun, Status: hooks.StatusRollback},
				{Type: dropship.UpdateBegun, Status: hooks.StatusUpdate, Recovered: true},
			},
			[]*metrics.Metric{metrics.Checks},
			[]string{"[web busy] 1 0", "[web failed] 1 0", "[web outdated] 1 0", "[web paused] 1 0", "[web quarantined] 1 0", "[web up_to_date] 2 0"},
		},
		{
			"updates that are none are not counted",
			[]dropship.Event{
				ended(hooks.StatusUpdate, dropship.Updated), ended(hooks.StatusUpdate, dropship.RolledBack), ended(hooks.StatusRollback, dropship.RolledBack),
				ended(hooks.StatusUpdate, dropship.Abandoned), ended(hooks.StatusUpdate, dropship.Held), ended(hooks.StatusUpdate, dropship.UpToDate),
				ended(hooks.StatusUpdate, dropship.GivenUp), ended(hooks.StatusUpdate, dropship.Failed), ended(hooks.StatusUpdate, dropship.Recovered),
			},
			[]*metrics.Metric{metrics.Updates},
			[]string{
				"[web rollback rolled_back] 1 0", "[web update failed] 1 0", "[web update given_up] 1 0",
				"[web update recovered] 1 0", "[web update rolled_back] 1 0", "[web update updated] 1 0",
			},
		},
		{
			"two downloads, of which one is told in parts",
			[]dropship.Event{stage, read(10), read(10), read(25), stage, read(25), read(30)},
			[]*metrics.Metric{metrics.Downloaded},
			[]string{"[web] 55 0"},
		},
		{
			"hooks are told apart by their place and kind, not by what they run",
			[]dropship.Event{
				hook(0, "script: systemctl stop web", nil), hook(0, "script: systemctl stop web", errors.New("no")), hook(1, "http-check http://a/", nil),
			},
			[]*metrics.Metric{metrics.Hooks, metrics.HookFailures},
			[]string{"[web after 0 script] 2 2", "[web after 1 http-check] 1 1", "[web after 0 script] 1 0"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := metrics.NewMeter(metrics.Build{})
			for _, e := range tt.events {
				e.Service = "web"
				m.Observe(e)
			}
			if diff := cmp.Diff(tt.want, counted(m, web, tt.of...)); diff != "" {
				t.Errorf("samples (-want +got):\n%s", diff)
			}
			if got := counted(m, agent{}, tt.of...); got != nil {
				t.Errorf("got %q of a service that is gone, want none", got)
			}
			if got := counted(m, web, tt.of...); got != nil {
				t.Errorf("got %q of a service that is new, want none", got)
			}
		})
	}
}

// While an update waits for its turn, what the last check said is not how things are. While it keeps its slot, they are.
func TestUnderWay(t *testing.T) {
	t.Parallel()
	since := time.Now().Add(-time.Hour)
	for _, tt := range []struct {
		activity dropship.Activity
		upToDate float64
		waits    bool
	}{
		{dropship.Activity{Status: hooks.StatusUpdate, Step: dropship.StepSlot, StepSince: since}, 0, true},
		{dropship.Activity{Status: hooks.StatusUpdate, Step: dropship.StepAfter, StepSince: since}, 0, false},
		{dropship.Activity{Status: hooks.StatusUpdate, Step: dropship.StepHold, StepSince: since}, 1, false},
		{dropship.Activity{Status: hooks.StatusRollback, Step: dropship.StepHold, StepSince: since}, 0, false},
	} {
		tt.activity.UpdateID = "1"
		st := dropship.Status{Name: "web", LastCheck: &dropship.Check{Outcome: dropship.UpToDate}, Activity: &tt.activity}
		for _, s := range metrics.NewMeter(metrics.Build{}).Collect(agent{st}) {
			switch {
			case s.Metric == metrics.UpToDate && s.Value != tt.upToDate:
				t.Errorf("%s, step %s: got up to date %v, want %v", tt.activity.Status, tt.activity.Step, s.Value, tt.upToDate)
			case s.Metric == metrics.Updating && s.Value != 1:
				t.Errorf("step %s: got updating %v, want 1", tt.activity.Step, s.Value)
			case s.Metric == metrics.SlotWait && (s.Value > 3599 && s.Value < 3700) != tt.waits:
				t.Errorf("step %s: got a wait of %v, want an hour: %t", tt.activity.Step, s.Value, tt.waits)
			}
		}
	}
}

func TestManyAtATime(t *testing.T) {
	t.Parallel()
	m := metrics.NewMeter(metrics.Build{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				m.Observe(dropship.Event{Type: dropship.Checked, Service: "web", Outcome: dropship.UpToDate})
				m.Collect(web)
			}
		})
	}
	wg.Wait()
	if diff := cmp.Diff([]string{"[web up_to_date] 800 0"}, counted(m, web, metrics.Checks)); diff != "" {
		t.Errorf("checks (-want +got):\n%s", diff)
	}
}

// The manual has one line for each metric, with its type, its labels and its name in Graphite, and no other.
func TestManual(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := make(map[string]string)
	for _, m := range regexp.MustCompile("(?m)^\\| `(dropship_[a-z_]+)` \\|.*$").FindAllStringSubmatch(string(text), -1) {
		documented[m[1]] = m[0]
	}
	if len(documented) != len(metrics.All) {
		t.Errorf("got %d metrics in the manual, want %d", len(documented), len(metrics.All))
	}
	for _, m := range metrics.All {
		line := documented[m.Name]
		path := regexp.MustCompile(`{([a-z]+)}`).ReplaceAllStringFunc(m.Path, strings.ToUpper)
		path = strings.NewReplacer("{", "", "}", "").Replace(path)
		words := []string{[]string{"counter", "gauge", "summary"}[m.Type], "`" + path}
		for _, label := range m.Labels {
			words = append(words, "`"+label+"`")
		}
		for _, word := range words {
			if !strings.Contains(line, word) {
				t.Errorf("%s: the manual's line does not say %s: %s", m.Name, word, line)
			}
		}
	}
}
