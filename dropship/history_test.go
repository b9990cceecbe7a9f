package dropship_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
)

func (w *world) history() []dropship.Record {
	w.t.Helper()
	records, err := w.machine.Store.History(w.service.Name, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	return records
}

func TestHistoryTellsWhatEachUpdateDid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.service.After = hooks.Chain{w.hook("check", func(ctx context.Context, ev hooks.Event) error {
		fmt.Fprintf(hooks.Output(ctx), "version %s\n", w.live())
		if w.live() == "3" && ev.Status == hooks.StatusUpdate {
			return errors.New("3 is broken")
		}
		return nil
	})}
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.Updated)
	w.mustUpdate(dropship.UpToDate)
	w.source.publish(pack(t, "2"), "r2")
	w.mustUpdate(dropship.Updated)
	if _, err := w.rollback(ann); err != nil {
		t.Fatal(err)
	}
	w.mustUpdate(dropship.Quarantine)
	w.source.publish(pack(t, "3"), "r3")
	_, _ = w.update()
	w.restart() // what it tells outlives the process

	got := w.history()
	var lines []string
	for _, r := range got {
		lines = append(lines, fmt.Sprintf("%s: %s %.4s from %.4s by %q", r.Status, r.Outcome, r.Hash, r.PreviousHash, r.By))
	}
	one, two, three := md5Hex(pack(t, "1"))[:4], md5Hex(pack(t, "2"))[:4], md5Hex(pack(t, "3"))[:4]
	wantWords(t, lines,
		fmt.Sprintf(`update: rolled back %s from %s by ""`, three, one),
		fmt.Sprintf(`rollback: rolled back %s from %s by "ann@web-01"`, one, two),
		fmt.Sprintf(`update: updated %s from %s by ""`, two, one),
		fmt.Sprintf(`update: updated %s from  by ""`, one))
	failed := got[0]
	if failed.Installed[:4] != one || failed.Step != dropship.StepAfter || !strings.Contains(failed.Error, "3 is broken") || failed.Took <= 0 {
		t.Errorf("the update that failed: got %+v", failed)
	}
	if len(failed.Hooks) != 2 || failed.Hooks[0].Output != "version 3\n" || failed.Hooks[0].Error == "" || failed.Hooks[1].Status != hooks.StatusRollback {
		t.Errorf("its hooks: got %+v", failed.Hooks)
	}
	if failed.Steps[0].Step != dropship.StepCheck || failed.Steps[1].Step != dropship.StepStage {
		t.Errorf("its steps: got %+v", failed.Steps)
	}
}

func TestHistoryIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.service.After = hooks.Chain{w.hook("start", func(ctx context.Context, _ hooks.Event) error {
			for i := range 10_000 {
				fmt.Fprintln(hooks.Output(ctx), "line", i)
			}
			return nil
		})}
		half := filepath.Join(w.machine.Store.Dir(), "history", "web", "20260101T000000Z-00000000.json.new")
		if err := errors.Join(os.MkdirAll(filepath.Dir(half), 0o700), os.Chmod(w.machine.Store.Dir(), 0o700), os.WriteFile(half, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
		for i := range 55 {
			time.Sleep(time.Second) // within one, IDs are in no order
			w.source.publish(pack(t, fmt.Sprint(i)), fmt.Sprint("r", i))
			w.mustUpdate(dropship.Updated)
		}
		got := w.history()
		if len(got) != 50 {
			t.Errorf("got %d records, want the last 50", len(got))
		}
		if want := md5Hex(pack(t, "54")); !slicesHas(got, want) {
			t.Errorf("the last update is not among them")
		}
		if _, err := os.Stat(half); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("what a killed process left: got error %v, want it gone", err)
		}
		out := got[0].Hooks[0].Output
		if len(out) > 17<<10 || !strings.HasPrefix(out, "…\nline ") || !strings.HasSuffix(out, "line 9999\n") {
			t.Errorf("output: got %d bytes, %.20q … %q", len(out), out, out[len(out)-20:])
		}
	})
}

func slicesHas(records []dropship.Record, hash string) bool {
	for _, r := range records {
		if r.Hash == hash {
			return true
		}
	}
	return false
}

// What is given up again and again takes one place, and not those of all that was.
func TestHistoryCountsWhatIsGivenUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.Updated)
	w.source.publish([]byte("no archive"), "r2")
	for range 60 {
		if _, err := w.service.Retry(t.Context(), w.machine, "ann@web-01"); err != nil {
			t.Fatal(err)
		}
		if _, err := w.update(); err == nil {
			t.Fatal("it was installed")
		}
	}
	got := w.history()
	if len(got) != 2 || got[0].Outcome != dropship.GivenUp || got[0].Times != 60 || got[1].Outcome != dropship.Updated {
		t.Errorf("got %d records, the last %+v, want one that was given up 60 times, and the update", len(got), got[0])
	}
}

// A history that cannot be written or read costs no update.
func TestHistoryThatCannotBeKeptCostsNoUpdate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := filepath.Join(w.machine.Store.Dir(), "history")
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.Updated)
	if !strings.Contains(w.log.String(), "cannot keep what is known of an update") {
		t.Errorf("it is not said:\n%s", w.log)
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	w.source.publish(pack(t, "2"), "r2")
	r := w.mustUpdate(dropship.Updated)
	if err := os.WriteFile(filepath.Join(dir, "web", "20260101T000000Z-00000000.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	records, err := w.machine.Store.History("web", 0)
	if err == nil || !strings.Contains(err.Error(), "20260101T000000Z-00000000") || len(records) != 1 || records[0].UpdateID != r.UpdateID {
		t.Errorf("got %+v, error %v, want the whole one, and the name of the other", records, err)
	}
}

// An update that was abandoned with nothing changed is none.
func TestHistoryHasNoAbandonedUpdates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.takesTurns()
	w.source.publish(pack(t, "1"), "r1")
	ctx, cancel := context.WithCancel(t.Context())
	w.locker.onGrant = cancel
	if _, err := w.service.Update(ctx, w.machine); !errors.Is(err, context.Canceled) {
		t.Fatalf("got error %v", err)
	}
	if got := w.history(); len(got) != 0 {
		t.Errorf("got %+v, want nothing", got)
	}
}
