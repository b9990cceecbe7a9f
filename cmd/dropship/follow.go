package main

import (
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/lock"
)

// grace is how long the word that an update has begun may be on its way.
const grace = time.Second

// errStopped means that a person gave up what was asked for before it changed anything.
var errStopped = errors.New("given up as told, with nothing changed")

// A follower follows the rollback that a person asked for.
type follower struct {
	id    string
	begun chan struct{} // closed when it has begun
	ended chan dropship.Event
	err   error // why it could not be followed to its end
}

// follow tells of the rollback that by asks for, until its end or that of the events.
func (f *follower) follow(events iter.Seq2[dropship.Event, error], by string, tell func(string)) {
	defer close(f.ended)
	for e, err := range events {
		if err != nil {
			f.err = err
			return
		}
		if f.id == "" && e.Type == dropship.UpdateBegun && e.Status == hooks.StatusRollback && e.By == by {
			f.id = e.UpdateID
			close(f.begun)
		}
		if f.id == "" || e.UpdateID != f.id {
			continue
		}
		if text := step(e); text != "" {
			tell(text)
		}
		if e.Type == dropship.UpdateEnded {
			f.ended <- e
			return
		}
	}
}

// hasBegun reports whether the rollback has.
func (f *follower) hasBegun() bool {
	select {
	case <-f.begun:
		return true
	default:
		return false
	}
}

// outcome waits for what came of it after it was given up.
func (f *follower) outcome() (dropship.Result, error) {
	select {
	case <-f.begun:
	case <-time.After(grace):
		return dropship.Result{}, errStopped
	}
	e, ok := <-f.ended
	if !ok {
		return dropship.Result{}, fmt.Errorf("cannot tell what came of update %s, dropship history will: %w", f.id, f.err)
	}
	r := dropship.Result{Outcome: e.Outcome, UpdateID: e.UpdateID, Hash: e.Hash, PreviousHash: e.PreviousHash, Took: time.Duration(e.Took)}
	switch {
	case e.Outcome == dropship.Abandoned:
		return r, errStopped
	case e.Error != "":
		return r, errors.New(e.Error)
	}
	return r, nil
}

// step says what an event of an update is about, or nothing.
func step(e dropship.Event) string {
	switch e.Type {
	case dropship.UpdateBegun:
		return fmt.Sprintf("rolling back to %s, as update %s", e.Hash, e.UpdateID)
	case dropship.Waiting:
		return behind(e.Group, e.Ahead)
	case dropship.StepBegun:
		return map[dropship.Step]string{
			dropship.StepSwitch:   "switching",
			dropship.StepRollback: "that failed: putting back what was there",
			dropship.StepHold:     "done; keeping the slot for a while (updateTTL)",
		}[e.Step]
	case dropship.HookBegun:
		return fmt.Sprintf("%s hook %d: %s", e.Hook.Phase, e.Hook.Index+1, e.Hook.Name)
	case dropship.HookEnded:
		if e.Error != "" {
			return fmt.Sprintf("%s hook %d failed: %s", e.Hook.Phase, e.Hook.Index+1, e.Error)
		}
	}
	return ""
}

// behind says who has to be waited for.
func behind(group string, ahead []lock.Holder) string {
	if len(ahead) == 0 {
		return ""
	}
	return fmt.Sprintf("waiting for a slot of group %s behind %s", group, firstOf(ahead))
}
