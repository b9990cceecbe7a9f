package metrics

import (
	"strconv"
	"strings"
	"time"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
)

// counted adds what events told of a service.
func (c collection) counted(name string, s *service) {
	for result, n := range s.checks {
		c.add(Checks, float64(n), name, result)
	}
	for u, n := range s.updates {
		c.add(Updates, float64(n), name, string(u.status), strings.ReplaceAll(string(u.result), " ", "_"))
	}
	for step, d := range s.steps {
		c.summary(Steps, d, name, string(step))
	}
	for h, d := range s.hooks {
		labels := []string{name, string(h.phase), strconv.Itoa(h.index), h.kind}
		c.summary(Hooks, d, labels...)
		c.add(HookFailures, float64(s.failures[h]), labels...)
	}
	c.add(Downloaded, float64(s.bytes), name)
	if !s.success.IsZero() {
		c.add(LastSuccess, timestamp(s.success), name)
	}
}

// status adds what the agent knows of a service. What it does not know has no sample: 0 would be a time in 1970.
func (c collection) status(st dropship.Status) {
	a := st.Activity
	updating := a != nil && a.UpdateID != ""
	c.add(Updating, truth(updating), st.Name)
	waited := 0.0
	if a != nil && a.Step == dropship.StepSlot {
		waited = time.Since(a.StepSince).Seconds()
	}
	c.add(SlotWait, waited, st.Name)
	check := st.LastCheck
	fine := check != nil && check.Error == "" && (check.Outcome == dropship.UpToDate || check.Outcome == dropship.Updated)
	// The slot is kept for a while after a good update.
	holding := updating && a.Step == dropship.StepHold && a.Status == hooks.StatusUpdate
	c.add(UpToDate, truth(fine && !updating || holding), st.Name)
	c.add(ReasonInfo, 1, st.Name, string(st.Reason.Code))
	if in := st.Installed; in != nil {
		c.add(InstalledInfo, 1, st.Name, in.Hash)
		if !in.At.IsZero() {
			c.add(InstalledTime, timestamp(in.At), st.Name)
		}
	}
	c.add(Quarantined, truth(check != nil && check.Outcome == dropship.Quarantine), st.Name)
	c.add(Failed, truth(st.Failed != nil), st.Name)
	c.add(Paused, truth(st.Paused != nil), st.Name)
	if check != nil {
		c.add(LastCheck, timestamp(check.At), st.Name)
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func timestamp(t time.Time) float64 { return float64(t.UnixMilli()) / 1e3 }
