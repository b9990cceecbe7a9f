package api_test

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/dropship/api"
	"github.com/dropship/dropship/lock"
)

func md5Hex(text string) string {
	sum := md5.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

func TestAgent(t *testing.T) {
	t.Parallel()
	m := started(t)
	got, err := m.client.Agent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.Started.IsZero() || time.Since(got.Started) > limit {
		t.Errorf("started: got %s", got.Started)
	}
	got.Started = time.Time{}
	want := api.Agent{Version: "1.2.3", PID: os.Getpid(), Hostname: "web-01", Config: m.path("dropship.hcl"), Services: []string{"web"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	at := time.Now().UTC()
	m.agent.Reject(&dropship.Rejected{At: at, Error: "web.hcl:3:4: Invalid duration", Files: []string{"web.hcl"}})
	got, err = m.client.Agent(t.Context())
	if err != nil || got.Rejected == nil || got.Rejected.Error != "web.hcl:3:4: Invalid duration" || !got.Rejected.At.Equal(at) {
		t.Errorf("got %+v, error %v", got.Rejected, err)
	}
}

// What goes over the socket is what the agent says.
func TestReading(t *testing.T) {
	t.Parallel()
	m := started(t)
	m.update("2")
	want, _ := m.agent.Status("web")
	got, err := m.client.Status(t.Context(), "web")
	if err != nil {
		t.Fatal(err)
	}
	same := cmp.Options{cmp.AllowUnexported(dropship.Check{}), cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".err" }, cmp.Ignore())}
	if diff := cmp.Diff(want, got, same); diff != "" {
		t.Error(diff)
	}
	if got.Installed == nil || got.Installed.Hash != md5Hex("2") || got.Reason.Code != dropship.ReasonUpToDate {
		t.Errorf("got %+v, want it up to date at %s", got, md5Hex("2"))
	}
	if all, err := m.client.Statuses(t.Context()); err != nil || len(all) != 1 || all[0].Name != "web" {
		t.Errorf("got %+v, %v", all, err)
	}
	if why, err := m.client.Why(t.Context(), "web"); err != nil || cmp.Diff(want.Reason, why) != "" {
		t.Errorf("got %+v, %v, want %+v", why, err, want.Reason)
	}
	records, err := m.client.History(t.Context(), "web", 0)
	if err != nil || len(records) != 2 || records[0].Installed != md5Hex("2") || records[1].Installed != md5Hex("1") {
		t.Fatalf("got %+v, %v", records, err)
	}
	if hooks := records[0].Hooks; len(hooks) != 1 || hooks[0].Output != "update 2\n" {
		t.Errorf("got hooks %+v", hooks)
	}
	if last, err := m.client.History(t.Context(), "web", 1); err != nil || cmp.Diff(records[:1], last) != "" {
		t.Errorf("got %+v, %v", last, err)
	}
	kept, err := m.client.Releases(t.Context(), "web")
	if err != nil || len(kept) != 2 || !kept[0].Current || kept[0].Hash != md5Hex("2") || kept[1].Current || kept[1].Hash != md5Hex("1") {
		t.Errorf("got %+v, %v", kept, err)
	}
}

// A file of the history that cannot be read hides none of the others.
func TestHistoryWithADamagedFile(t *testing.T) {
	t.Parallel()
	m := started(t)
	m.update("2")
	id := func() string { r, _ := m.client.History(t.Context(), "web", 1); return r[0].UpdateID }()
	if err := os.WriteFile(m.path("state/history/web/"+id+".json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	records, err := m.client.History(t.Context(), "web", 0)
	if len(records) != 1 || records[0].Installed != md5Hex("1") {
		t.Errorf("got %+v, want the other update", records)
	}
	var failed *api.Error
	if !errors.As(err, &failed) || failed.Code != api.CodeFailed || !strings.Contains(failed.Message, id) {
		t.Errorf("got error %v, want one that names %s", err, id)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	m := started(t)
	e, err := m.client.Check(t.Context(), "web")
	if err != nil || e.Type != dropship.Checked || e.Outcome != dropship.UpToDate {
		t.Errorf("got %+v, %v, want it up to date", e, err)
	}
	m.publish("2")
	e, err = m.client.Check(t.Context(), "web")
	if err != nil || e.Type != dropship.UpdateBegun || e.Hash != md5Hex("2") {
		t.Errorf("got %+v, %v, want an update", e, err)
	}
	m.settled("2")
}

func TestRollbackAndRetry(t *testing.T) {
	t.Parallel()
	m := started(t)
	m.update("2")
	m.update("3")
	if _, err := m.client.Rollback(t.Context(), "web", dropship.RollbackRequest{To: "beef", By: "ann@desk"}); !errors.Is(err, dropship.ErrNoRelease) {
		t.Errorf("got error %v, want ErrNoRelease", err)
	}
	r, err := m.client.Rollback(t.Context(), "web", dropship.RollbackRequest{To: md5Hex("1")[:8], By: "ann@desk", Reason: "too slow"})
	if err != nil || r.Outcome != dropship.RolledBack || r.Hash != md5Hex("1") || r.PreviousHash != md5Hex("3") || r.UpdateID == "" || r.Took <= 0 {
		t.Errorf("got %+v, %v", r, err)
	}
	m.settled("1")
	if want := "update 1\nupdate 2\nupdate 3\nrollback 1\n"; m.ran() != want {
		t.Errorf("hooks: got %q, want %q", m.ran(), want)
	}
	records, err := m.client.History(t.Context(), "web", 1)
	if err != nil || records[0].By != "ann@desk" || records[0].Reason != "too slow" {
		t.Errorf("got %+v, %v", records, err)
	}
	if why, err := m.client.Why(t.Context(), "web"); err != nil || why.Code != dropship.ReasonQuarantined && why.Code != dropship.ReasonNotChecked {
		t.Errorf("got %+v, %v", why, err)
	}
	freed, err := m.client.Retry(t.Context(), "web", "ben@desk")
	if err != nil || !slices.ContainsFunc(freed, func(q dropship.Quarantined) bool { return q.Hash == md5Hex("3") }) {
		t.Errorf("got %+v, %v", freed, err)
	}
	m.settled("3")
}

// What came of a rollback that failed is told beside its error.
func TestRollbackThatFails(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	m.more = `  after "script" { command = "test $(cat ` + m.dir + `/web) != 1 -o ! -e ` + m.dir + `/broken" }`
	m.publish("1")
	m.start()
	m.settled("1")
	m.update("2")
	if err := os.WriteFile(m.path("broken"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := m.client.Rollback(t.Context(), "web", dropship.RollbackRequest{By: "ann@desk"})
	var failed *api.Error
	if !errors.As(err, &failed) || failed.Code != api.CodeFailed || failed.Step != dropship.StepAfter {
		t.Errorf("got error %v, want that of the after chain", err)
	}
	if r.Outcome != dropship.RolledBack || r.Hash != md5Hex("2") {
		t.Errorf("got %+v, want the release from before", r)
	}
}

// waitsForASlot returns a machine at its second release whose rollback waits for a slot that another machine has, and
// what comes of it.
func waitsForASlot(ctx context.Context, t *testing.T) (*machine, <-chan error) {
	t.Helper()
	m := newMachine(t)
	m.more = "  sequentialUpdates = true"
	m.publish("1")
	m.start()
	m.settled("1")
	m.update("2")
	turn := m.load().Services[0].Turn
	held, err := turn.Locker.Acquire(t.Context(), lock.Request{Group: turn.Group, Slots: 1, Holder: lock.Holder{Host: "web-07", Service: "web"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := held.Release(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	came := make(chan error, 1)
	go func() {
		_, err := m.client.Rollback(ctx, "web", dropship.RollbackRequest{By: "ann@desk"})
		came <- err
	}()
	m.wait("to wait for its slot", m.waiting)
	return m, came
}

func (m *machine) waiting() bool {
	st, _ := m.agent.Status("web")
	return st.Activity != nil && st.Activity.Step == dropship.StepSlot
}

// Who goes away while a rollback waits for its slot gives it up.
func TestRollbackIsGivenUp(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	m, came := waitsForASlot(ctx, t)
	cancel()
	if err := <-came; !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want that it was given up", err)
	}
	m.wait("to give up the wait", func() bool { return !m.waiting() })
	m.settled("2")
}

func TestRollbackEndsWithTheAgent(t *testing.T) {
	t.Parallel()
	m, came := waitsForASlot(t.Context(), t)
	m.stop()
	if err := <-came; !errors.Is(err, dropship.ErrEnded) {
		t.Errorf("got error %v, want ErrEnded", err)
	}
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	m := started(t)
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	updating, err := m.client.Pause(t.Context(), "web", dropship.Pause{By: "ann@desk", Reason: "release party", Until: until})
	if err != nil || updating {
		t.Errorf("got %v, %v", updating, err)
	}
	m.publish("2")
	if e, err := m.client.Check(t.Context(), "web"); err != nil || e.Outcome != dropship.Held {
		t.Errorf("got %+v, %v, want it paused", e, err)
	}
	p, err := m.client.Resume(t.Context(), "web", "ben@desk")
	if err != nil || p == nil || p.By != "ann@desk" || p.Reason != "release party" || !p.Until.Equal(until) || time.Since(p.Since) > limit {
		t.Errorf("got %+v, %v", p, err)
	}
	m.settled("2")
	if p, err := m.client.Resume(t.Context(), "web", "ben@desk"); err != nil || p != nil {
		t.Errorf("got %+v, %v, want that there was none", p, err)
	}
}
