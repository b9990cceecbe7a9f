package dropship

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

const (
	// retryWait is how long Retry waits for another process that works on the service: longer than its check takes
	// while the board hangs, so that Retry says that nobody answers there, and not that it is kept away.
	retryWait  = boardTimeout + 2*time.Second
	retryPause = 200 * time.Millisecond
)

// Retry lets what is quarantined be tried again, and at once what is held back after failures: at the next check of
// the running agent, whose it is to update. What other machines heard of it they try again, too, as soon as they look.
// by is who wants it, "user@host". It returns what was quarantined, here or for the group. It waits for a check that
// another process makes, for 12 seconds at the most.
//
// ErrServiceBusy: another process works on the service. ErrNotLifted: the quarantine of the group stays in force.
// With these as with any other error nothing is changed on this machine; what it returns beside one was lifted for
// the group all the same, and the caller may try again.
func (s *Service) Retry(ctx context.Context, m *Machine, by string) ([]Quarantined, error) {
	unlock, err := s.lockToRetry(ctx, m)
	if err != nil {
		return nil, err
	}
	defer unlock()
	st, err := m.Store.Load(s.Name)
	if err != nil {
		return nil, &StepError{StepState, err}
	}
	known := st.Quarantine
	lifted, err := s.lift(ctx, known, by)
	if err != nil {
		return lifted, err
	}
	st.Quarantine, st.Retried = nil, time.Now().UTC()
	if st.Unfinished != nil {
		st.Unfinished.Next = time.Time{}
	}
	if err := m.Store.Save(st); err != nil {
		return lifted, &StepError{StepState, err}
	}
	for _, q := range lifted {
		if !slices.ContainsFunc(known, func(k Quarantined) bool { return k.Hash == q.Hash }) {
			known = append(known, q)
		}
	}
	return known, nil
}

// lockToRetry locks the service, once the check that another process makes is through.
func (s *Service) lockToRetry(ctx context.Context, m *Machine) (unlock func(), err error) {
	end := time.Now().Add(retryWait)
	for {
		unlock, err = m.Store.Lock(s.Name)
		switch {
		case err == nil:
			return unlock, nil
		case !errors.Is(err, ErrServiceBusy) || time.Now().After(end):
			return nil, &StepError{StepState, err}
		case !sleep(ctx, retryPause):
			return nil, context.Cause(ctx)
		}
	}
}

// ErrNotLifted means that the quarantine of the group stays in force: the board did not answer, or refused
// (lock.ErrRefused).
var ErrNotLifted = errors.New("cannot lift the quarantine of group")

// lift ends the quarantines of the group. What is known only here is put up first: others may know of it, too.
func (s *Service) lift(ctx context.Context, known []Quarantined, by string) ([]Quarantined, error) {
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
	entries, err := b.Lift(ctx, s.Turn.Group, s.Name, by)
	if err != nil {
		err = fmt.Errorf("%w %s: %w", ErrNotLifted, s.Turn.Group, err)
	}
	var lifted []Quarantined
	for _, e := range entries {
		lifted = append(lifted, heard(e))
	}
	return lifted, err
}
