//go:build linux

package dropship_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
)

// A damaged state beside a copy that may be whole is not lost: both stay, and the service waits.
func TestDamagedStateWaitsForACopyThatMayBeWhole(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		service, copied string
	}{
		"newer":      {"web", `{"version": 2, "service": "web"}`},
		"unreadable": {strings.Repeat("w", 248), ""}, // NAME.json.copy is longer than a name can be
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := quarantined(t)
			w.service.Name = test.service
			path := filepath.Join(w.machine.Store.Dir(), test.service+".json")
			write(t, path, "{")
			if test.copied != "" {
				write(t, path+".copy", test.copied)
			}
			_, err := w.update()
			if stepOf(t, err) != dropship.StepState || errors.Is(err, dropship.ErrDamaged) || !strings.Contains(err.Error(), "unexpected end") {
				t.Errorf("got %v, want an error at the state that tells of both", err)
			}
			w.wantRan()
			if got := read(t, path); got != "{" {
				t.Errorf("the state: got %q, want it untouched", got)
			}
			if test.copied != "" {
				if got := read(t, path+".copy"); got != test.copied {
					t.Errorf("the copy: got %q, want it untouched", got)
				}
			}
			if got := w.asides(); len(got) != 0 {
				t.Errorf("got %v set aside, want nothing", got)
			}
		})
	}
}

// The state is gone, and its copy damaged: if something is at the destination, there was one.
func TestMissingStateWithADamagedCopyIsLost(t *testing.T) {
	t.Parallel()
	for name, damage := range damages() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := quarantined(t)
			if err := errors.Join(os.Remove(w.statePath()), damage(w.statePath()+".copy")); err != nil {
				t.Fatal(err)
			}
			unlock, err := w.service.Site.Lock()
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // somebody else is at the destination: nothing is lost by trying
				if _, err := w.update(); stepOf(t, err) != dropship.StepState {
					t.Errorf("got %v, want an error at the state", err)
				}
			}
			unlock()
			w.restart()
			w.mustUpdate(dropship.Recovered)
			w.wantRan("after start failed", "after check failed")
			w.restart()
			w.mustUpdate(dropship.UpToDate)
			w.wantRan()
			w.wantLive("1")
			if got := strings.Count(w.log.String(), "level=ERROR msg=\"state file missing and its copy damaged"); got != 1 {
				t.Errorf("got %d lines about the loss, want one\n%s", got, w.log)
			}
			if got := w.asides(); len(got) == 0 {
				t.Error("the copy was not set aside")
			}
		})
	}
}

// A process died while it saved the first state of all: nobody is told of anything.
func TestFirstStateThatWasCutIsNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := os.MkdirAll(w.machine.Store.Dir(), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, w.statePath()+".copy", `{"version": 1, "serv`)
	w.service.After = hooks.Chain{w.hook("start", nil)}
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.Updated)
	w.wantRan("after start update")
	if got := w.log.String(); strings.Contains(got, "level=ERROR") || strings.Contains(got, "level=WARN") || len(w.asides()) != 0 {
		t.Errorf("got %v set aside, and the log\n%s", w.asides(), got)
	}
}

// What of a state is left in its copy alone is never overwritten before it has another name, whoever saves, and
// whatever a power loss makes of the file that is written just then.
func TestOnlyCopyIsNotOverwritten(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(path string) error{
		"missing": os.Remove,
		"damaged": func(path string) error { return os.Truncate(path, 10) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			save(t, dropship.NewStore(dir), "/srv/1")
			path := filepath.Join(dir, "web.json")
			if err := damage(path); err != nil {
				t.Fatal(err)
			}
			store, opened := dropship.NewStore(dir), false
			store.OnStep(func(string) {
				if opened = true; os.WriteFile(path+".copy", []byte("{"), 0o600) != nil {
					t.Error("cannot cut the copy")
				}
				runtime.Goexit()
			})
			done := make(chan struct{})
			go func() {
				defer close(done)
				_ = store.Save(&dropship.State{Version: 1, Service: "web", Destination: "/srv/2"})
			}()
			<-done
			st, err := dropship.NewStore(dir).Load("web")
			if !opened || err != nil || st.Destination != "/srv/1" {
				t.Errorf("got %+v, %v, want the state that was", st, err)
			}
		})
	}
}

func TestMissingStateIsWrittenAnewFromItsCopy(t *testing.T) {
	t.Parallel()
	w := quarantined(t)
	want := w.state()
	if err := os.Remove(w.statePath()); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		w.mustUpdate(dropship.UpToDate)
		w.restart()
	}
	w.wantRan()
	if diff := cmp.Diff(want, w.state()); diff != "" {
		t.Errorf("the state (-want +got):\n%s", diff)
	}
	if got, want := strings.TrimSpace(read(t, w.statePath())), strings.TrimSpace(read(t, w.statePath()+".copy")); got != want {
		t.Errorf("the state: got %q, want what the copy has, %q", got, want)
	}
	if got := strings.Count(w.log.String(), `level=WARN msg="state file missing: written anew from its copy`); got != 1 {
		t.Errorf("got %d lines about it, want one\n%s", got, w.log)
	}
}

func TestInterruptedIsFoundInTheCopyToo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := dropship.NewStore(dir)
	for _, service := range []string{"web", "api", "db", "kept"} {
		st := &dropship.State{Version: 1, Service: service}
		if service != "db" {
			st.Journal = &dropship.Journal{UpdateID: "u1", Status: hooks.StatusUpdate}
		}
		if err := s.Save(st); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(dir, "web.json")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "notes.copy"), "")
	if got, want := s.Interrupted(func(service string) bool { return service == "kept" }), []string{"api", "web"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A directory in place of the copy, with something in it, keeps no state from being saved.
func TestStateIsSavedWhateverIsInPlaceOfTheCopy(t *testing.T) {
	t.Parallel()
	for name, damage := range damages() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.service.After = hooks.Chain{w.killAt("start", hooks.StatusUpdate)}
			w.source.publish(pack(t, "1"), "r1")
			w.killed()
			w.took()
			if err := damage(w.statePath() + ".copy"); err != nil {
				t.Fatal(err)
			}
			w.mustUpdate(dropship.Recovered)
			w.wantRan("after start update")
			if got, want := strings.TrimSpace(read(t, w.statePath()+".copy")), strings.TrimSpace(read(t, w.statePath())); got != want {
				t.Errorf("the copy: got %q, want %q", got, want)
			}
			if asides := w.asides(); name == "directory" {
				if len(asides) != 1 {
					t.Fatalf("set aside: got %v, want the directory", asides)
				}
				if _, err := os.Stat(filepath.Join(asides[0], "in it")); err != nil {
					t.Errorf("what was in the directory: %v", err)
				}
			}
		})
	}
}

// Files that another user owns, and may have open, are not written to.
func TestStateFilesOfAnotherUserGiveWay(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	dir := t.TempDir()
	s := dropship.NewStore(dir)
	save(t, s, "/srv/1")
	path := filepath.Join(dir, "web.json")
	var theirs []*os.File
	for _, path := range []string{path, path + ".copy"} {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		theirs = append(theirs, f)
		if err := os.Chown(path, 12345, 12345); err != nil {
			t.Fatal(err)
		}
	}
	save(t, s, "/srv/2")
	for i, path := range []string{path, path + ".copy"} {
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Sys().(*syscall.Stat_t).Uid; got != 0 {
			t.Errorf("%s: belongs to %d, want 0", path, got)
		}
		b, err := io.ReadAll(theirs[i])
		if err != nil || !strings.Contains(string(b), "/srv/1") {
			t.Errorf("their file: got %q, %v, want what it was", b, err)
		}
	}
	st, err := dropship.NewStore(dir).Load("web")
	if err != nil || st.Destination != "/srv/2" {
		t.Errorf("got %+v, %v", st, err)
	}
}
