package metrics

import (
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
)

// A Build says what an agent was built from.
type Build struct{ Version, Commit string }

// An Agent is what a meter asks of a dropship.Agent.
type Agent interface {
	Statuses() []dropship.Status
	Rejected() *dropship.Rejected
}

// A Meter counts what happens on a machine. Safe for concurrent use.
type Meter struct {
	build Build

	mu       sync.Mutex
	services map[string]*service
	loaded   time.Time // when the configuration in force was
	reloads  map[string]uint64
}

// service is what was counted of one.
type service struct {
	checks   map[string]uint64
	updates  map[update]uint64
	steps    map[dropship.Step]duration
	hooks    map[hook]duration
	failures map[hook]uint64
	bytes    uint64
	read     int64 // of the download under way
	success  time.Time
}

type update struct {
	status hooks.Status
	result dropship.Outcome
}

type hook struct {
	phase hooks.Phase
	index int
	kind  string
}

type duration struct {
	count   uint64
	seconds float64
}

func (d duration) plus(took dropship.Seconds) duration {
	return duration{d.count + 1, d.seconds + time.Duration(took).Seconds()}
}

// NewMeter returns a meter, from whose making on the configuration in force counts as loaded.
func NewMeter(build Build) *Meter {
	return &Meter{
		build: build, services: make(map[string]*service), loaded: time.Now(),
		reloads: map[string]uint64{reloadSuccess: 0, reloadFailure: 0},
	}
}

const (
	reloadSuccess = "success"
	reloadFailure = "failure"
)

// What can come of a check.
const (
	checkUpToDate    = "up_to_date"
	checkOutdated    = "outdated"
	checkPaused      = "paused"
	checkQuarantined = "quarantined"
	checkBusy        = "busy"
	checkFailed      = "failed"
)

// Observe implements dropship.Observer.
func (m *Meter) Observe(e dropship.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e.Type == dropship.Reloaded {
		if e.Err != nil {
			m.reloads[reloadFailure]++
		} else {
			m.reloads[reloadSuccess]++
			m.loaded = e.Time
		}
		return
	}
	if e.Service == "" {
		return
	}
	s := m.services[e.Service]
	if s == nil {
		s = newService()
		m.services[e.Service] = s
	}
	s.observe(e)
}

// newService has everything at 0 that will count: the first rise of a series that was not there is no rise to Prometheus.
func newService() *service {
	s := &service{
		checks: make(map[string]uint64), updates: make(map[update]uint64),
		steps: make(map[dropship.Step]duration), hooks: make(map[hook]duration), failures: make(map[hook]uint64),
	}
	for _, result := range []string{checkUpToDate, checkOutdated, checkPaused, checkQuarantined, checkBusy, checkFailed} {
		s.checks[result] = 0
	}
	for _, result := range results {
		s.updates[update{hooks.StatusUpdate, result}] = 0
		if result != dropship.Updated {
			s.updates[update{hooks.StatusRollback, result}] = 0
		}
	}
	for _, step := range []dropship.Step{
		dropship.StepCheck, dropship.StepStage, dropship.StepSlot, dropship.StepBefore, dropship.StepSwitch,
		dropship.StepAfter, dropship.StepRollback, dropship.StepSettle, dropship.StepHold,
	} {
		s.steps[step] = duration{}
	}
	return s
}

// results are what comes of an update that is one: those that the history has.
var results = []dropship.Outcome{dropship.Updated, dropship.RolledBack, dropship.GivenUp, dropship.Failed, dropship.Recovered}

func (s *service) observe(e dropship.Event) {
	switch e.Type {
	case dropship.Checked:
		if result := checked(e); result != "" {
			s.checks[result]++
		}
		if e.Err == nil && e.Outcome == dropship.UpToDate {
			s.success = e.Time
		}
	case dropship.UpdateBegun:
		if e.Status == hooks.StatusUpdate && !e.Recovered {
			s.checks[checkOutdated]++
		}
	case dropship.UpdateEnded:
		if slices.Contains(results, e.Outcome) {
			s.updates[update{e.Status, e.Outcome}]++
		}
		if e.Err == nil && (e.Outcome == dropship.Updated || e.Outcome == dropship.UpToDate) {
			s.success = e.Time
		}
	case dropship.StepBegun:
		s.read = 0
	case dropship.StepEnded:
		s.steps[e.Step] = s.steps[e.Step].plus(e.Took)
	case dropship.Progress:
		s.bytes += uint64(max(0, e.Done-s.read))
		s.read = e.Done
	case dropship.HookEnded:
		kind, _, _ := strings.Cut(e.Hook.Name, " ")
		h := hook{e.Hook.Phase, e.Hook.Index, strings.TrimSuffix(kind, ":")}
		s.hooks[h] = s.hooks[h].plus(e.Took)
		if e.Err != nil {
			s.failures[h]++
		}
	}
}

// checked returns what came of a check; empty: it was abandoned.
func checked(e dropship.Event) string {
	switch {
	case errors.Is(e.Err, dropship.ErrServiceBusy):
		return checkBusy
	case e.Err != nil:
		return checkFailed
	case e.Outcome == dropship.UpToDate:
		return checkUpToDate
	case e.Outcome == dropship.Held:
		return checkPaused
	case e.Outcome == dropship.Quarantine:
		return checkQuarantined
	}
	return ""
}

// Collect returns what was counted so far, and what agent knows of its services: one sample for each metric and its
// labels, in the order of All, then of the services and labels. What was counted of services that it does not keep any more is forgotten.
func (m *Meter) Collect(agent Agent) []Sample {
	statuses, rejected := agent.Statuses(), agent.Rejected() // from disk, so before others have to wait
	c := make(collection)
	m.mu.Lock()
	defer m.mu.Unlock()
	for name := range m.services {
		if !slices.ContainsFunc(statuses, func(st dropship.Status) bool { return st.Name == name }) {
			delete(m.services, name)
		}
	}
	for _, st := range statuses {
		s := m.services[st.Name]
		if s == nil {
			s = newService()
			m.services[st.Name] = s
		}
		c.counted(st.Name, s)
		c.status(st)
	}
	for result, n := range m.reloads {
		c.add(Reloads, float64(n), result)
	}
	c.add(ReloadOK, truth(rejected == nil))
	c.add(ReloadTime, timestamp(m.loaded))
	c.add(BuildInfo, 1, m.build.Version, m.build.Commit, runtime.Version())
	return c.samples()
}

// A collection is what there is of each metric.
type collection map[*Metric][]Sample

func (c collection) add(metric *Metric, value float64, labels ...string) {
	c[metric] = append(c[metric], Sample{Metric: metric, Value: value, Values: labels})
}

func (c collection) summary(metric *Metric, d duration, labels ...string) {
	c[metric] = append(c[metric], Sample{Metric: metric, Value: d.seconds, Count: d.count, Values: labels})
}

func (c collection) samples() []Sample {
	var all []Sample
	for _, metric := range All {
		slices.SortFunc(c[metric], func(a, b Sample) int { return slices.Compare(a.Values, b.Values) })
		all = append(all, c[metric]...)
	}
	return all
}
