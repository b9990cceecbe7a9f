package dropship

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/dropship/dropship/lock"
)

// Retry lets what is quarantined be tried again, and at once what is held back after failures: at the next check of
// the running agent, whose it is to update. What other machines heard of it they try again, too, as soon as they look.
// by is who wants it, "user@host". It returns what was quarantined, here or for the group.
//
// ErrServiceBusy: another process works on the service. ErrNotLifted: it is done here, but not for the group.
func (s *Service) Retry(ctx context.Context, m *Machine, by string) ([]Quarantined, error) {
	unlock, err := m.Store.Lock(s.Name)
	if err != nil {
		return nil, &StepError{StepState, err}
	}
	defer unlock()
	st, err := m.Store.Load(s.Name)
	if err != nil {
		return nil, &StepError{StepState, err}
	}
	known := st.Quarantine
	lifted, lerr := s.lift(ctx, known, by)
	for _, e := range lifted {
		if !slices.ContainsFunc(known, func(q Quarantined) bool { return q.Hash == e.Hash }) {
			known = append(known, heard(e))
		}
	}
	st.Quarantine, st.Retried = nil, time.Now().UTC()
	if st.Unfinished != nil {
		st.Unfinished.Next = time.Time{}
	}
	if err := m.Store.Save(st); err != nil {
		return known, &StepError{StepState, err}
	}
	return known, lerr
}

// ErrNotLifted means that the quarantine of the group stays in force, as the board could not be reached.
var ErrNotLifted = errors.New("cannot lift the quarantine of the group")

// lift ends the quarantines of the group. What is known only here is put up first: others may know of it, too.
func (s *Service) lift(ctx context.Context, known []Quarantined, by string) ([]lock.Quarantine, error) {
	b := s.board()
	if b == nil {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, boardTimeout)
	defer cancel()
	for _, q := range known {
		if _, err := b.Quarantine(ctx, s.Turn.Group, q.entry(s.Name)); err != nil {
			return nil, fmt.Errorf("%w %s: %w", ErrNotLifted, s.Turn.Group, err)
		}
	}
	lifted, err := b.Lift(ctx, s.Turn.Group, s.Name, by)
	if err != nil {
		err = fmt.Errorf("%w %s: %w", ErrNotLifted, s.Turn.Group, err)
	}
	return lifted, err
}
