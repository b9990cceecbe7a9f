package dropship

import (
	"slices"
	"strings"
	"time"
)

// A Status is all that an agent knows of a service: what its state says, what it saw, what it does.
type Status struct {
	Name        string        `json:"name"`
	Artifact    string        `json:"artifact"` // the source, "s3://bucket/key"
	Destination string        `json:"destination"`
	Group       string        `json:"group,omitempty"`     // whose turns it takes; empty: it takes none
	Installed   *Installed    `json:"installed,omitempty"` // nil: nothing, or nothing known
	Repository  *Remote       `json:"repository,omitempty"`
	SeenAt      time.Time     `json:"seen_at,omitzero"` // when the repository held that
	Activity    *Activity     `json:"activity,omitempty"`
	LastCheck   *Check        `json:"last_check,omitempty"`
	NextCheck   time.Time     `json:"next_check,omitzero"`
	Paused      *Pause        `json:"paused,omitempty"`
	Quarantined []Quarantined `json:"quarantined,omitempty"`
	Failed      *Failure      `json:"failed,omitempty"`
	Unfinished  []string      `json:"unfinished,omitempty"` // hooks of an update that failed, still to be run
	Reason      Reason        `json:"reason"`
}

// Status returns that of one service, and whether the agent keeps it.
func (a *Agent) Status(name string) (Status, bool) {
	l, err := a.loop(name)
	if err != nil {
		return Status{}, false
	}
	return a.status(l), true
}

// Statuses returns those of all services, by name.
func (a *Agent) Statuses() []Status {
	a.mu.Lock()
	loops := make([]*loop, 0, len(a.loops))
	for _, l := range a.loops {
		loops = append(loops, l)
	}
	a.mu.Unlock()
	slices.SortFunc(loops, func(x, y *loop) int { return strings.Compare(x.service.Name, y.service.Name) })
	all := make([]Status, len(loops))
	for i, l := range loops {
		all[i] = a.status(l)
	}
	return all
}

// status reads what is on disk, and takes no lock of the service.
func (a *Agent) status(l *loop) Status {
	s := l.service
	st := Status{Name: s.Name, Artifact: s.Source.String(), Destination: s.Site.Destination()}
	if s.Turn != nil {
		st.Group = s.Turn.Group
	}
	now := a.live.of(s.Name)
	st.Activity, st.LastCheck, st.NextCheck, st.Repository, st.SeenAt = now.activity, now.check, now.next, now.remote, now.seen
	var left *Unfinished
	state, err := a.m.Store.Load(s.Name)
	if err == nil && state.Destination == st.Destination {
		st.Installed = state.Installed
		st.Quarantined, st.Failed = state.Quarantine, state.Failed
		if state.Unfinished != nil {
			left, st.Unfinished = state.Unfinished, state.Unfinished.Names()
		}
	}
	var perr error
	st.Paused, perr = a.m.Store.Paused(s.Name)
	if err == nil {
		err = perr
	}
	st.Reason = reason(st, s, left, a.Rejected(), err)
	return st
}
