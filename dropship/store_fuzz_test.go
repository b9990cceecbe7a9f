package dropship_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
)

// FuzzLoadState wants that a state file, whatever is in it, is an error and stays as it is, or a state of the
// service that is the same after it was kept and loaded again; and that an update ends well with it, once what is
// no state was set aside. A newer format alone stays an error.
func FuzzLoadState(f *testing.F) {
	for _, content := range []string{
		``, `null`, `[]`, `{}`, `{"version": 1, "serv`, "\x00\x00\x00\x00", `{"version": 99, "service": ["web"]}`,
		`{"version": 1, "service": "web", "staged": {"id": "../../etc", "revision": "r0"}, "installed": {"id": "lock"}}`,
		`{"version": 1, "service": "web", "journal": {"status": "rollback", "to": {"id": "gone"}, "from": {"id": "gone too"}, "chain": []}}`,
		`{"version": 1, "service": "web", "journal": {"status": "failed", "chain": ["start"], "hook": 1}}`,
		`{"version": 1, "service": "web", "unfinished": {"update": {"status": "failed", "chain": ["start"]}, "hooks": [0, 0], "failures": -7, "next": "9999-01-01T00:00:00Z"}}`,
		`{"version": 1, "service": "web"}`,
		`{"version": 99, "service": "web"}`,
		`{"version": 1, "service": "db"}`,
		`{"version": 1, "service": "web", "destination": "/srv/web", "installed": {"id": "one", "hash": "0123", "sha256": "4567",
			"revision": "\"e\"", "artifact": "s3://b/k", "size": 7, "staged": "2026-01-02T03:04:05Z", "at": "2026-01-02T03:04:06.000000007+01:00", "update_id": "u"}}`,
		`{"version": 1, "service": "web", "staged": {"id": "two", "size": -1}, "failed": {"hash": "89ab", "error": "\u0000\ud800", "at": "0001-01-01T00:00:00Z"}}`,
		`{"version": 1, "service": "web", "quarantine": [{"hash": "cdef", "since": "2026-01-02T03:04:05Z"}, {}], "unknown": 1}`,
		`{"version": 1, "service": "web", "journal": {"update_id": "u", "status": "update", "to": {"id": "two"}, "from": {"id": "one"}, "chain": ["script: x"], "hook": 1}}`,
		`{"version": 1, "service": "web", "journal": {"chain": [], "hook": -9}, "quarantine": [], "Service": "web"}`,
		"{\"version\": 1, \"service\": \"web\", \"destination\": \"\xff<&>\u2028\"}",
	} {
		f.Add([]byte(content))
	}
	if memory, err := os.MkdirTemp("/dev/shm", "dropship-"); err == nil { // there a sync takes no time
		f.Cleanup(func() { os.RemoveAll(memory) })
		f.Setenv("TMPDIR", memory)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		dir := t.TempDir()
		path := filepath.Join(dir, "web.json")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		s := dropship.NewStore(dir)
		updateEndsWell(t, content)
		got, err := s.Load("web")
		if now, rerr := os.ReadFile(path); rerr != nil || string(now) != string(content) {
			t.Fatalf("loading changed the file: got %q, %v", now, rerr)
		}
		if err != nil {
			if got != nil {
				t.Errorf("got a state, %+v, with the error %v", got, err)
			}
			return
		}
		if got.Service != "web" || got.Journal != nil && got.Journal.Hook < 0 {
			t.Errorf("got %+v with the journal %+v", got, got.Journal)
		}
		if err := s.Save(got); err != nil {
			t.Fatalf("what was loaded cannot be kept: %v", err)
		}
		again, err := s.Load("web")
		if err != nil {
			t.Fatalf("what was kept cannot be loaded: %v", err)
		}
		if diff := cmp.Diff(got, again, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("what was loaded is another state once kept (-want +got):\n%s", diff)
		}
	})
}

// updateEndsWell wants that a service with that state file, without a copy, comes to what its repository holds.
func updateEndsWell(t *testing.T, content []byte) {
	w := newWorld(t)
	w.service.Before = hooks.Chain{w.hook("stop", nil)}
	w.service.After = hooks.Chain{w.hook("start", nil)}
	w.source.publish(pack(t, "1"), "r1")
	w.mustUpdate(dropship.Updated)
	path := filepath.Join(w.machine.Store.Dir(), "web.json")
	if err := errors.Join(os.Remove(path+".copy"), os.WriteFile(path, content, 0o600)); err != nil {
		t.Fatal(err)
	}
	w.restart()
	_, lerr := w.machine.Store.Load("web")
	w.source.publish(pack(t, "2"), "r2")
	var r dropship.Result
	var err error
	for range 4 { // what is recovered, or put in order, comes first
		r, err = w.update()
	}
	switch {
	case lerr != nil && !errors.Is(lerr, dropship.ErrDamaged):
		if stepOf(t, err) != dropship.StepState || string(content) != read(t, path) {
			t.Errorf("a newer state: got %v, want an error and the file as it was", err)
		}
	case r.Outcome == dropship.Quarantine: // a state may say so
	case err != nil || r.Outcome != dropship.UpToDate || w.live() != "2":
		t.Errorf("got %q, error %v, and %q at the destination\n%s", r.Outcome, err, w.live(), w.log)
	}
}
