package dropship_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/dropship/dropship/artifact/install"
	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
)

// Two services share a parent directory and a state directory; what a killed one left is removed by its own next
// update, and never by the other's.
func TestRecoveryTouchesNoOtherService(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.service.Site.Options()
	o.Destination = filepath.Join(filepath.Dir(o.Destination), "db")
	other := &source{}
	other.publish(pack(t, "db 1"), "r1")
	db := &dropship.Service{Name: "db", Source: other, Site: install.New(o), CheckInterval: w.service.CheckInterval}
	w.source.publish(pack(t, "1"), "r1")
	w.source.onOpen = runtime.Goexit
	w.killed() // in its stage
	w.source.onOpen = nil

	stages := filepath.Join(filepath.Dir(o.Destination), ".web.dropship", "stage-*")
	if err := os.MkdirAll(strings.Replace(stages, "*", "mine", 1), 0o700); err != nil {
		t.Fatal(err)
	}
	state := read(t, w.statePath())
	for range 2 {
		if _, err := db.Update(t.Context(), w.machine); err != nil {
			t.Fatal(err)
		}
	}
	if left, err := filepath.Glob(stages); err != nil || len(left) == 0 || read(t, w.statePath()) != state {
		t.Errorf("an update of db: got the stages %v of web, %v, want what web left, and its state as it was", left, err)
	}
	w.mustUpdate(dropship.Updated)
	if left, err := filepath.Glob(stages); err != nil || len(left) > 0 {
		t.Errorf("an update of web: got the stages %v, %v, want none", left, err)
	}
}

// An update of a service that was taken out of the configuration is named, and completed once it is back.
func TestInterruptedUpdateOfARemovedServiceIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.service.After = hooks.Chain{w.killAt("start", hooks.StatusUpdate)}
	w.source.publish(pack(t, "1"), "r1")
	w.killed()
	w.took()
	_, stop := w.startWith(nil)
	stop()
	if !strings.Contains(w.log.String(), `level=ERROR msg="an update of a service that is not configured any more was interrupted`) {
		t.Errorf("the service is not named:\n%s", w.log)
	}
	w.wantRan()
	w.restart()
	w.mustUpdate(dropship.Recovered)
	w.wantRan("after start update")
}
