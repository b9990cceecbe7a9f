package tracing_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/lock"
)

// A script is a sequence of events, one a second.
type script struct {
	service, id string
	now         *time.Time
	events      *[]dropship.Event
}

func newScript(service, id string) script {
	now := midnight
	return script{service, id, &now, new([]dropship.Event)}
}

func (s script) emit(e dropship.Event) {
	e.Service, e.UpdateID, e.Time = s.service, s.id, *s.now
	if e.Err != nil {
		e.Error = e.Err.Error()
	}
	*s.events = append(*s.events, e)
	*s.now = s.now.Add(time.Second)
}

func (s script) begun(step dropship.Step) {
	s.emit(dropship.Event{Type: dropship.StepBegun, Step: step})
}

func (s script) ended(step dropship.Step, err error) {
	s.emit(dropship.Event{Type: dropship.StepEnded, Step: step, Err: err})
}

func (s script) step(step dropship.Step) {
	s.begun(step)
	s.ended(step, nil)
}

// chain is the step of a chain, of one hook.
func (s script) chain(step dropship.Step, phase hooks.Phase, status hooks.Status, hook string, err error) {
	s.begun(step)
	e := dropship.Event{Type: dropship.HookBegun, Status: status, Hook: &dropship.HookEvent{Phase: phase, Name: hook}}
	s.emit(e)
	e.Type, e.Err = dropship.HookEnded, err
	e.Hook.Output = "what it printed"
	s.emit(e)
	s.ended(step, err)
}

func (s script) before(status hooks.Status, hook string) {
	s.chain(dropship.StepBefore, hooks.Before, status, hook, nil)
}

func (s script) after(status hooks.Status, hook string, err error) {
	s.chain(dropship.StepAfter, hooks.After, status, hook, err)
}

func (s script) check(trees ...string) func(t *testing.T) {
	return func(t *testing.T) {
		t.Helper()
		if diff := cmp.Diff(trees, export(t, *s.events...).trees(t)); diff != "" {
			t.Errorf("traces (-want +got):\n%s", diff)
		}
	}
}

var errBoom = errors.New("boom")

func TestUpdate(t *testing.T) {
	t.Parallel()
	s := newScript("web", "20260102T000000Z-00000001")
	s.step(dropship.StepCheck)
	s.emit(dropship.Event{
		Type: dropship.UpdateBegun, Status: hooks.StatusUpdate, Hash: "", PreviousHash: "old",
		Remote: &dropship.Remote{Revision: "r2", Size: 10},
	})
	s.begun(dropship.StepStage)
	s.emit(dropship.Event{Type: dropship.Progress, Done: 4, Total: 10})
	s.emit(dropship.Event{Type: dropship.Progress, Done: 10, Total: 10})
	s.ended(dropship.StepStage, nil)
	s.begun(dropship.StepSlot)
	s.emit(dropship.Event{Type: dropship.Waiting, Group: "fleet", Ahead: []lock.Holder{{Host: "web-07", PID: 7, Service: "web"}, {Host: "web-12"}}})
	s.ended(dropship.StepSlot, nil)
	s.step(dropship.StepCheck)
	s.before(hooks.StatusUpdate, "script stop")
	s.step(dropship.StepSwitch)
	s.after(hooks.StatusUpdate, "script start", nil)
	s.step(dropship.StepSettle)
	s.step(dropship.StepHold)
	s.emit(dropship.Event{Type: dropship.UpdateEnded, Status: hooks.StatusUpdate, Outcome: dropship.Updated, Hash: "new", PreviousHash: "old"})
	s.emit(dropship.Event{Type: dropship.Scheduled})
	s.check(`update web 0-26
  check 0-1
  stage 3-6
  slot 7-9
  check 10-11
  before 12-15
    script stop 13-14
  switch 16-17
  after 18-21
    script start 19-20
  settle 22-23
  hold 24-25
`)(t)

	c := export(t, *s.events...)
	id := map[string]string{"dropship.service": "web", "dropship.update_id": s.id}
	for name, want := range map[string]map[string]string{
		"update web": {
			"dropship.status": "update", "dropship.outcome": "updated", "dropship.hash": "new", "dropship.previous_hash": "old", "dropship.installed_hash": "new",
			"dropship.revision": "r2", "dropship.bytes": "10", "dropship.slot_wait": "2", "dropship.recovered": "false",
		},
		"stage": {"dropship.step": "stage", "dropship.bytes": "10"},
		"slot":  {"dropship.step": "slot", "dropship.group": "fleet"},
		"script start": {
			"dropship.hook": "script start", "dropship.hook_index": "0", "dropship.phase": "after", "dropship.status": "update",
		},
	} {
		for key, value := range id {
			want[key] = value
		}
		if diff := cmp.Diff(want, attributes(c.span(t, name).Attributes)); diff != "" {
			t.Errorf("attributes of %q (-want +got):\n%s", name, diff)
		}
	}
	events := c.span(t, "slot").Events
	if len(events) != 1 || events[0].Name != "waiting" || seconds(events[0].TimeUnixNano) != 8 {
		t.Fatalf("events of the slot: %v", events)
	}
	want := map[string]string{"dropship.ahead": "2", "dropship.holder": "web-07 (pid 7, service web)"}
	if diff := cmp.Diff(want, attributes(events[0].Attributes)); diff != "" {
		t.Errorf("attributes of the wait (-want +got):\n%s", diff)
	}
	for key, want := range map[string]string{"service.name": "dropship", "service.version": "1.2.3", "telemetry.sdk.language": "go"} {
		if got := c.resource[key]; got != want {
			t.Errorf("resource %s: got %q, want %q", key, got, want)
		}
	}
	if c.resource["host.name"] == "" {
		t.Error("the resource has no host.name")
	}
}

func TestRollbackAfterAHookThatFails(t *testing.T) {
	t.Parallel()
	s := newScript("web", "u1")
	s.step(dropship.StepCheck)
	s.emit(dropship.Event{Type: dropship.UpdateBegun, Status: hooks.StatusUpdate, Hash: "new", PreviousHash: "old"})
	s.before(hooks.StatusUpdate, "stop")
	s.step(dropship.StepSwitch)
	s.after(hooks.StatusUpdate, "start", errBoom)
	s.before(hooks.StatusRollback, "stop")
	s.step(dropship.StepSwitch)
	s.after(hooks.StatusRollback, "start", nil)
	s.step(dropship.StepSettle)
	s.emit(dropship.Event{
		Type: dropship.UpdateEnded, Status: hooks.StatusUpdate, Outcome: dropship.RolledBack, Hash: "old", PreviousHash: "new", Step: dropship.StepAfter,
		Err: errors.New("after: rolled back to old: boom"),
	})
	s.check(`update web 0-25 !after: rolled back to old: boom
  check 0-1
  before 3-6
    stop 4-5
  switch 7-8
  after 9-12 !boom
    start 10-11 !boom
  before 13-16
    stop 14-15
  switch 17-18
  after 19-22
    start 20-21
  settle 23-24
`)(t)
	got := attributes(export(t, *s.events...).span(t, "update web").Attributes)
	for key, want := range map[string]string{"dropship.outcome": "rolled back", "dropship.hash": "new", "dropship.installed_hash": "old", "dropship.failed_step": "after"} {
		if got[key] != want {
			t.Errorf("%s: got %q, want %q", key, got[key], want)
		}
	}
}

func TestRollbackThatAPersonWants(t *testing.T) {
	t.Parallel()
	s := newScript("web", "u1")
	s.emit(dropship.Event{Type: dropship.UpdateBegun, Status: hooks.StatusRollback, Hash: "old", PreviousHash: "new", By: "ada@web-01", Reason: "slow"})
	s.step(dropship.StepSlot)
	s.before(hooks.StatusRollback, "stop")
	s.emit(dropship.Event{Type: dropship.UpdateEnded, Status: hooks.StatusRollback, Outcome: dropship.RolledBack, Hash: "old", PreviousHash: "new", By: "ada@web-01"})
	s.check("rollback web 0-7\n  slot 1-2\n  before 3-6\n    stop 4-5\n")(t)
	want := map[string]string{
		"dropship.service": "web", "dropship.update_id": "u1", "dropship.status": "rollback", "dropship.outcome": "rolled back", "dropship.hash": "old",
		"dropship.previous_hash": "new", "dropship.installed_hash": "old", "dropship.by": "ada@web-01", "dropship.reason": "slow",
		"dropship.bytes": "0", "dropship.slot_wait": "1", "dropship.recovered": "false",
	}
	if diff := cmp.Diff(want, attributes(export(t, *s.events...).span(t, "rollback web").Attributes)); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
}

func TestAbandonedWhileItWaits(t *testing.T) {
	t.Parallel()
	s := newScript("web", "u1")
	s.step(dropship.StepCheck)
	s.emit(dropship.Event{Type: dropship.UpdateBegun, Status: hooks.StatusUpdate, Hash: "new"})
	s.step(dropship.StepStage)
	s.begun(dropship.StepSlot)
	s.ended(dropship.StepSlot, errBoom)
	s.emit(dropship.Event{Type: dropship.UpdateEnded, Status: hooks.StatusUpdate, Outcome: dropship.Abandoned})
	s.check("update web 0-7\n  check 0-1\n  stage 3-4\n  slot 5-6 !boom\n")(t)
}

// The process that began it was killed: what it did is not known any more.
func TestRecovered(t *testing.T) {
	t.Parallel()
	s := newScript("web", "u1")
	s.emit(dropship.Event{Type: dropship.UpdateBegun, Status: hooks.StatusUpdate, Hash: "new", PreviousHash: "old", Recovered: true})
	s.after(hooks.StatusFailed, "start", nil)
	s.emit(dropship.Event{
		Type: dropship.UpdateEnded, Status: hooks.StatusUpdate, Outcome: dropship.Recovered, Hash: "old", PreviousHash: "old",
		Err: errors.New("before: interrupted"), Step: dropship.StepBefore,
	})
	s.check("update web 0-5 !before: interrupted\n  after 1-4\n    start 2-3\n")(t)
	root := export(t, *s.events...).span(t, "update web")
	got := attributes(root.Attributes)
	if got["dropship.recovered"] != "true" || got["dropship.update_id"] != "u1" || got["dropship.outcome"] != "recovered" {
		t.Errorf("attributes: %v", got)
	}
}

func TestChecksMakeNoTrace(t *testing.T) {
	t.Parallel()
	s := newScript("web", "u1")
	s.step(dropship.StepCheck)
	s.emit(dropship.Event{Type: dropship.Checked, Outcome: dropship.UpToDate})
	s.begun(dropship.StepCheck)
	s.ended(dropship.StepCheck, errBoom)
	s.emit(dropship.Event{Type: dropship.Checked, Err: errBoom, Step: dropship.StepCheck})
	s.emit(dropship.Event{Type: dropship.Checked, Err: errBoom, Step: dropship.StepState})
	s.emit(dropship.Event{Type: dropship.Paused})
	s.emit(dropship.Event{Type: dropship.Retried})
	c := export(t, *s.events...)
	if got := len(c.asked()); got != 0 {
		t.Errorf("got %d requests for checks", got)
	}
}

// What an update left to be put in order runs at a later check: it is no part of the update that the check begins.
func TestHooksThatRunAgainOutsideOfAnUpdate(t *testing.T) {
	t.Parallel()
	s := newScript("web", "u1")
	s.after(hooks.StatusFailed, "end maintenance", errBoom)
	s.step(dropship.StepCheck)
	s.emit(dropship.Event{Type: dropship.Checked, Outcome: dropship.UpToDate})
	s.after(hooks.StatusFailed, "end maintenance", nil)
	s.step(dropship.StepCheck)
	s.emit(dropship.Event{Type: dropship.UpdateBegun, Status: hooks.StatusUpdate, Hash: "new"})
	s.step(dropship.StepStage)
	s.emit(dropship.Event{Type: dropship.UpdateEnded, Status: hooks.StatusUpdate, Outcome: dropship.GivenUp, Err: errBoom, Step: dropship.StepStage})
	s.check("update web 11-16 !boom\n  check 11-12\n  stage 14-15\n")(t)
}

func TestServicesSideBySide(t *testing.T) {
	t.Parallel()
	a := newScript("a", "ua")
	b := a
	b.service, b.id = "b", "ub"
	both := []script{a, b}
	for _, s := range both {
		s.begun(dropship.StepCheck)
	}
	for _, s := range both {
		s.ended(dropship.StepCheck, nil)
		s.emit(dropship.Event{Type: dropship.UpdateBegun, Status: hooks.StatusUpdate})
	}
	a.emit(dropship.Event{Type: dropship.Reloaded}) // as of no service, in the middle
	for _, s := range both {
		s.begun(dropship.StepAfter)
	}
	hook := func(t dropship.EventType, name string) dropship.Event {
		return dropship.Event{Type: t, Hook: &dropship.HookEvent{Phase: hooks.After, Name: name}}
	}
	a.emit(hook(dropship.HookBegun, "of a"))
	b.emit(hook(dropship.HookBegun, "of b"))
	a.emit(hook(dropship.HookEnded, "of a"))
	b.emit(hook(dropship.HookEnded, "of b"))
	for _, s := range both {
		s.ended(dropship.StepAfter, nil)
		s.emit(dropship.Event{Type: dropship.UpdateEnded, Outcome: dropship.Updated, Hash: "new"})
	}
	a.check(
		"update a 0-14\n  check 0-2\n  after 7-13\n    of a 9-11\n",
		"update b 1-16\n  check 1-4\n  after 8-15\n    of b 10-12\n",
	)(t)
}
