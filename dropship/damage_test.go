//go:build linux

package dropship_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropship/dropship/artifact/install"
	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
)

// damages are what a power loss, a bad disk or a slip of the hand make of a file.
func damages() map[string]func(path string) error {
	put := func(content string) func(string) error {
		return func(path string) error { return os.WriteFile(path, []byte(content), 0o644) }
	}
	instead := func(make func(string) error) func(string) error {
		return func(path string) error { return errors.Join(os.Remove(path), make(path)) }
	}
	return map[string]func(path string) error{
		"empty":     put(""),
		"cut":       func(path string) error { return os.Truncate(path, 40) },
		"zeros":     put(strings.Repeat("\x00", 700)),
		"foreign":   put(`{"version": 1, "service": "db", "quarantine": [{"hash": "00"}]}`),
		"directory": instead(func(path string) error { return os.MkdirAll(filepath.Join(path, "in it"), 0o755) }),
		"symlink":   instead(func(path string) error { return os.Symlink("/etc/passwd", path) }),
		"fifo":      instead(func(path string) error { return syscall.Mkfifo(path, 0o644) }),
	}
}

func (w *world) statePath() string { return filepath.Join(w.machine.Store.Dir(), "web.json") }

// asides returns what was set aside.
func (w *world) asides() []string {
	w.t.Helper()
	asides, err := filepath.Glob(w.statePath() + ".corrupt-*")
	if err != nil {
		w.t.Fatal(err)
	}
	return asides
}

// quarantined returns a world where 1 is installed, 2 was rolled back, and the repository holds 1.
func quarantined(t *testing.T) *world {
	w := newWorld(t)
	w.service.After = hooks.Chain{w.hook("start", nil), w.brokenAt("2")}
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.Updated)
	w.source.publish(pack(t, "2"), "r2")
	if r, _ := w.update(); r.Outcome != dropship.RolledBack {
		t.Fatalf("got %q", r.Outcome)
	}
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.UpToDate)
	w.took()
	w.restart()
	return w
}

func TestDamagedStateIsWrittenAnewFromItsCopy(t *testing.T) {
	t.Parallel()
	for name, damage := range damages() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := quarantined(t)
			want := w.state()
			if err := damage(w.statePath()); err != nil {
				t.Fatal(err)
			}
			w.mustUpdate(dropship.UpToDate)
			w.restart()
			w.mustUpdate(dropship.UpToDate)
			w.wantRan()
			if diff := cmp.Diff(want, w.state()); diff != "" {
				t.Errorf("the state (-want +got):\n%s", diff)
			}
			if got := strings.Count(w.log.String(), "level=ERROR msg=\"state file damaged"); got != 1 {
				t.Errorf("got %d lines about the damage, want one\n%s", got, w.log)
			}
			asides := w.asides()
			if len(asides) != 1 {
				t.Fatalf("got %v, want one file set aside", asides)
			}
			if info, err := os.Lstat(asides[0]); err != nil || info.Mode().IsRegular() && info.Mode().Perm() != 0o600 {
				t.Errorf("set aside: got %v, %v", info.Mode(), err)
			}
			if name == "foreign" && !strings.Contains(read(t, asides[0]), `"db"`) {
				t.Error("what was set aside is not what was damaged")
			}
		})
	}
}

// What was installed is seen; nobody can know whether an update was interrupted, so the application is started.
func TestStateDamagedTwiceIsRebuiltAndTheApplicationStarted(t *testing.T) {
	t.Parallel()
	for name, damage := range damages() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := quarantined(t)
			if err := errors.Join(damage(w.statePath()), damage(w.statePath()+".copy")); err != nil {
				t.Fatal(err)
			}
			w.source.counts()
			w.mustUpdate(dropship.Recovered)
			w.wantRan("after start failed", "after check failed")
			w.wantLive("1")
			w.restart()
			w.mustUpdate(dropship.UpToDate)
			w.wantRan()
			if _, opens := w.source.counts(); opens != 0 {
				t.Errorf("got %d downloads, want none", opens)
			}
			if st := w.state(); st.Journal != nil || st.Installed == nil || st.Installed.Revision != "r1" {
				t.Errorf("got %+v", st)
			}
			if got := strings.Count(w.log.String(), "level=ERROR msg=\"state file and its copy damaged"); got != 1 {
				t.Errorf("got %d lines about the damage, want one\n%s", got, w.log)
			}
		})
	}
}

func TestInterruptedUpdateOutlivesADamagedState(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		files []string
		want  []string
	}{
		"file": {[]string{""}, []string{"after start failed", "after maintenance off failed"}},
		"copy": {[]string{".copy"}, []string{"after start failed", "after maintenance off failed"}},
		"both": {[]string{"", ".copy"}, []string{"after start failed", "after maintenance off failed"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.source.publish(pack(t, "1"), "r1")
			w.mustUpdate(dropship.Updated)
			w.service.Before = hooks.Chain{w.killAt("stop", hooks.StatusUpdate)}
			w.service.After = hooks.Chain{w.hook("start", nil), w.hook("maintenance off", nil)}
			w.source.publish(pack(t, "2"), "r2")
			w.killed()
			w.took()
			for _, suffix := range tt.files {
				write(t, w.statePath()+suffix, "")
			}
			w.mustUpdate(dropship.Recovered)
			w.wantRan(tt.want...)
			w.mustUpdate(dropship.Updated)
			w.wantLive("2")
		})
	}
}

// The after chain that runs because nobody knows fails: it is run again, as that of any update.
func TestRebuiltStateRemembersWhatCouldNotBePutInOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.Updated)
	write(t, w.statePath(), "")
	write(t, w.statePath()+".copy", "")
	w.service.After = hooks.Chain{w.brokenAt("1")}
	w.mustUpdate(dropship.Recovered)
	if r, err := w.update(); r.Outcome != dropship.UpToDate || stepOf(t, err) != dropship.StepAfter {
		t.Errorf("got %q, %v, want up to date, and not in order", r.Outcome, err)
	}
}

// As long as somebody else works on the destination nothing can be rebuilt, and nothing is lost by trying.
func TestDamageIsFoundAgainUntilItIsRepaired(t *testing.T) {
	t.Parallel()
	w := quarantined(t)
	write(t, w.statePath(), "")
	write(t, w.statePath()+".copy", "")
	unlock, err := install.New(w.service.Site.Options()).Lock()
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := w.update(); stepOf(t, err) != dropship.StepState {
			t.Errorf("got %v, want an error at the state", err)
		}
	}
	unlock()
	w.wantRan()
	w.restart()
	w.mustUpdate(dropship.Recovered)
	w.wantRan("after start failed", "after check failed")
	if got := w.asides(); len(got) != 2 { // the file and its copy, once each
		t.Errorf("set aside: got %v, want two", got)
	}
}

func TestNewerStateStaysAndOthersFilesToo(t *testing.T) {
	t.Parallel()
	w := quarantined(t)
	dir := w.machine.Store.Dir()
	foreign := map[string]string{
		"db.json": "", "db.json.copy": "\x00", "notes.txt": "do not remove", "web.json.bak": "{", "web.json.corrupt-mine": "x",
		"web.json.corrupt-20260102T030405Z-0123abcd.json": "", "old.lock": "",
	}
	for name, content := range foreign {
		write(t, filepath.Join(dir, name), content)
	}
	for range 12 {
		write(t, w.statePath(), "")
		w.mustUpdate(dropship.UpToDate)
	}
	asides := slices.DeleteFunc(w.asides(), func(path string) bool { return foreign[filepath.Base(path)] != "" || strings.HasSuffix(path, ".json") })
	if len(asides) > 8 || len(asides) < 2 {
		t.Errorf("got %d files set aside, want some and no more than 8", len(asides))
	}
	for name, content := range foreign {
		if got := read(t, filepath.Join(dir, name)); got != content {
			t.Errorf("%s: got %q, want %q", name, got, content)
		}
	}

	newer := `{"version": 2, "service": "web"}`
	write(t, w.statePath(), newer)
	if _, err := w.update(); stepOf(t, err) != dropship.StepState || errors.Is(err, dropship.ErrDamaged) {
		t.Errorf("got %v, want an error at the state", err)
	}
	if got := read(t, w.statePath()); got != newer {
		t.Errorf("got %q, want it untouched", got)
	}
}
