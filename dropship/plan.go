package dropship

import (
	"context"
	"fmt"
	"time"

	"github.com/dropship/dropship/artifact"
)

// A Plan is what an update of a service would do now.
type Plan struct {
	Service   *Service
	Installed *Installed // nil: nothing known
	Present   bool       // there is something at the destination
	Remote    artifact.Info
	Outcome   Outcome     // UpToDate, Quarantine, or Updated: what the update would come to if nothing fails
	Reason    string      // why, in words, where that is not plain
	Fetch     int64       // bytes to download, -1 if unknown, 0 if staged already
	Stopped   *Journal    // an update was interrupted: it is completed or undone first
	Left      *Unfinished // what an update that failed could not put in order
}

// Plan says what Update would do, and changes nothing: it takes no slot and no lock, and writes nothing.
func (s *Service) Plan(ctx context.Context, m *Machine) (Plan, error) {
	p := Plan{Service: s}
	st, err := m.Store.Load(s.Name)
	if err != nil {
		return p, &StepError{StepState, err}
	}
	u := &update{Service: s, m: m, st: st, started: time.Now()}
	if err := u.look(); err != nil {
		return p, &StepError{StepState, err}
	}
	p.Installed, p.Present, p.Stopped, p.Left = u.st.Installed, u.present, st.Journal, st.Unfinished
	if p.Remote, err = s.Source.Stat(ctx); err != nil {
		return p, &StepError{StepCheck, err}
	}
	r := u.decide(p.Remote, p.Remote.MD5)
	if s.board() != nil && r.Outcome != UpToDate {
		if _, _, err := u.ask(ctx, r); err != nil {
			p.Reason = fmt.Sprintf("it is not known whether it is quarantined for group %s: %v", s.Turn.Group, err)
		}
		r = u.decide(p.Remote, p.Remote.MD5)
	}
	if p.Outcome = r.Outcome; p.Outcome != "" {
		p.Reason = r.Detail
		return p, nil
	}
	p.Outcome = Updated
	p.Fetch = p.Remote.Size
	if _, ok, err := u.staged(p.Remote); err != nil {
		return p, &StepError{StepStage, err}
	} else if ok {
		p.Fetch = 0
	}
	if err := s.Site.Ready(); err != nil {
		return p, &StepError{StepStage, err}
	}
	return p, nil
}
