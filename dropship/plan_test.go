package dropship_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/install"
	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/lock"
)

// plan plans without an error, and wants nothing to have been written or taken.
func (w *world) plan() dropship.Plan {
	w.t.Helper()
	before := w.everything()
	p, err := w.service.Plan(w.t.Context(), w.machine)
	if err != nil {
		w.t.Fatal(err)
	}
	if diff := cmp.Diff(before, w.everything()); diff != "" {
		w.t.Errorf("the plan changed something (-before +after):\n%s", diff)
	}
	return p
}

// everything is what there is on disk, with the time of its last change, and how many slots were taken.
func (w *world) everything() map[string]any {
	w.t.Helper()
	all := map[string]any{"slots": w.locker.acquired}
	err := filepath.Walk(w.dir, func(path string, info os.FileInfo, err error) error {
		if err == nil {
			all[path] = info.ModTime()
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

func changes(added, removed, changed string) *install.Changes {
	return &install.Changes{Added: strings.Fields(added), Removed: strings.Fields(removed), Changed: strings.Fields(changed)}
}

func wantChanges(t *testing.T, p dropship.Plan, want *install.Changes) {
	t.Helper()
	if diff := cmp.Diff(want, p.Changes); diff != "" || p.NotListed != "" {
		t.Errorf("got %q as the reason for no list, and (-want +got):\n%s", p.NotListed, diff)
	}
}

// A waitingRoom is a locker that tells who takes turns.
type waitingRoom struct {
	*locker
	line []lock.Holder
	err  error
}

func (w *waitingRoom) Line(context.Context, string) ([]lock.Holder, error) { return w.line, w.err }

func TestPlanOfEachStage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.service.Before = hooks.Chain{w.hook("stop", nil)}
	w.service.After = hooks.Chain{w.hook("start", nil), w.hook("announce", nil)}
	w.service.After[1].When, w.service.After[1].OnError = hooks.Success, hooks.Continue
	first := pack(t, "1")
	w.source.publish(first, "r1")

	p := w.plan()
	want := dropship.Plan{
		Service: "web", Artifact: "mem://bucket/web.tar.gz", Destination: w.service.Site.Destination(), Outcome: dropship.Updated,
		Repository: &dropship.Remote{Revision: "r1", Hash: md5Hex(first), Size: int64(len(first))},
		Fetch:      int64(len(first)), Changes: changes("version", "", ""),
		Before: []dropship.PlannedHook{{Name: "stop", When: hooks.Always, OnError: hooks.Abort, Timeout: dropship.Seconds(time.Minute)}},
		After: []dropship.PlannedHook{
			{Name: "start", When: hooks.Always, OnError: hooks.Abort, Timeout: dropship.Seconds(time.Minute)},
			{Name: "announce", When: hooks.Success, OnError: hooks.Continue, Timeout: dropship.Seconds(time.Minute)},
		},
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("before the first install (-want +got):\n%s", diff)
	}
	w.wantRan()

	w.mustUpdate(dropship.Updated)
	w.took()
	if p := w.plan(); p.Outcome != dropship.UpToDate || p.Changes != nil || p.Before != nil || p.Fetch != 0 {
		t.Errorf("up to date: got %+v, want no more than that", p)
	}

	// Staged, and never installed: nothing is downloaded for the plan.
	w.takesTurns()
	w.locker.err = errors.New("the lock service is down")
	second := pack(t, "2")
	w.source.publish(second, "r2")
	if _, err := w.update(); err == nil {
		t.Fatal("got no error, want that of the locker")
	}
	w.source.counts()
	p = w.plan()
	if _, opens := w.source.counts(); opens != 0 || !p.Staged || p.Fetch != 0 {
		t.Errorf("staged: got %d downloads and %+v, want it to be known as staged", opens, p)
	}
	wantChanges(t, p, changes("", "", "version"))

	if err := w.machine.Store.Pause("web", dropship.Pause{By: "rita@web-01", Reason: "the database moves", Since: time.Now()}); err != nil {
		t.Fatal(err)
	}
	p = w.plan()
	if p.Outcome != dropship.Held || p.Paused == nil || !strings.Contains(p.Reason, "paused by rita@web-01") || !strings.Contains(p.Reason, "the database moves") {
		t.Errorf("paused: got %+v, want by whom and why", p)
	}
	wantChanges(t, p, changes("", "", "version"))
}

// What cannot be listed is said, and fails no plan.
func TestPlanWithoutList(t *testing.T) {
	t.Parallel()
	large := make([]byte, 16<<20+1)
	for name, test := range map[string]struct {
		data   []byte
		tamper func([]byte) []byte
		want   string
		opens  int
	}{
		"too large":  {large, nil, "larger than the 16 MiB", 0},
		"no archive": {[]byte("not a tar.gz"), nil, "does not look like tar.gz", 1},
		"cut":        {pack(t, "1"), func(b []byte) []byte { return b[:len(b)/2] }, "truncated", 1},
		"endless":    {pack(t, "1"), func(b []byte) []byte { return append(b, large...) }, "bytes", 1},
		"other bytes": {pack(t, "1"), func([]byte) []byte {
			return pack(t, "2")
		}, "md5", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.source.publish(test.data, "r1")
			w.source.tamper = test.tamper
			p := w.plan()
			if p.Outcome != dropship.Updated || p.Changes != nil || !strings.Contains(p.NotListed, test.want) {
				t.Errorf("got %+v, want no list, since %q", p, test.want)
			}
			if doubt := test.opens > 0; doubt != (p.Doubt == p.NotListed) || !doubt && p.Doubt != "" {
				t.Errorf("got doubt %q, since %q", p.Doubt, p.NotListed)
			}
			if _, opens := w.source.counts(); opens != test.opens {
				t.Errorf("got %d downloads, want %d", opens, test.opens)
			}
		})
	}
}

// A silent source sends nothing.
type silent struct{ *source }

func (silent) Open(ctx context.Context, _ artifact.Info, _, _ int64) (io.ReadCloser, error) {
	return silence{ctx}, nil
}

type silence struct{ ctx context.Context }

func (b silence) Read([]byte) (int, error) {
	<-b.ctx.Done()
	return 0, b.ctx.Err()
}

func (silence) Close() error { return nil }

func TestPlanDoesNotWaitForASilentRepository(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.source.publish(pack(t, "1"), "r1")
		w.service.Source = silent{w.source}
		start := time.Now()
		if p := w.plan(); !strings.Contains(p.NotListed, "longer than 30s") || p.Outcome != dropship.Updated || p.Doubt != "" {
			t.Errorf("got %+v, want no list, since it takes too long", p)
		}
		if took := time.Since(start); took > time.Minute {
			t.Errorf("it took %s", took)
		}
	})
}

func TestPlanSaysWhoTakesTurns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.publish(pack(t, "1"), "r1")
	w.service.UpdateTTL = 30 * time.Second
	ahead := []lock.Holder{{Host: "web-07", PID: 12, Service: "web", Holding: true}, {Host: "web-12", PID: 3, Service: "web"}}
	want := dropship.PlannedSlot{Locker: "locker in memory", Group: "web", Slots: 1, Hold: dropship.Seconds(30 * time.Second), Line: []lock.Holder{}}
	for _, test := range []struct {
		name   string
		locker lock.Locker
		change func(*dropship.PlannedSlot)
	}{
		{"nobody", &waitingRoom{locker: w.locker}, func(*dropship.PlannedSlot) {}},
		{"a line", &waitingRoom{locker: w.locker, line: ahead}, func(s *dropship.PlannedSlot) { s.Line = ahead }},
		{"no answer", &waitingRoom{locker: w.locker, err: errors.New("no answer")}, func(s *dropship.PlannedSlot) { s.Error = "no answer" }},
		{"no line", w.locker, func(s *dropship.PlannedSlot) { s.Error = "this locker does not tell who takes turns" }},
	} {
		w.service.Turn = &dropship.Turn{Locker: test.locker, Group: "web", Slots: 1}
		want := want
		test.change(&want)
		if diff := cmp.Diff(&want, w.plan().Slot); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestPlanThatFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, err := w.service.Plan(t.Context(), w.machine)
	step, ok := errors.AsType[*dropship.StepError](err)
	if !ok || step.Step != dropship.StepCheck || p.Step != dropship.StepCheck || p.Error != err.Error() {
		t.Errorf("got %+v, error %v, want what the check says, in both", p, err)
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"service":"web"`, `"step":"check"`, `"error":"check: cannot stat mem://bucket/web.tar.gz: `} {
		if !strings.Contains(string(text), part) {
			t.Errorf("got %s, want %s in it", text, part)
		}
	}
}
