package dropship_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/dropship/dropship/dropship"
)

// What a process found bad and could not save is added to what another one saved meanwhile, unless that was a retry:
// then it is what shall be tried again.
func TestUnsavedQuarantineGivesWayToARetry(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		save func(*dropship.State)
		want int
	}{
		"something else": {func(st *dropship.State) { st.Destination = "/srv/web" }, 1},
		"a retry":        {func(st *dropship.State) { st.Retried = time.Now().UTC() }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "state")
			agent, other := dropship.NewStore(dir), dropship.NewStore(dir)
			unlock, err := agent.Lock("web") // which makes the directory
			if err != nil {
				t.Fatal(err)
			}
			defer unlock()
			st, err := agent.Load("web")
			if err == nil {
				err = agent.Save(st)
			}
			if err != nil {
				t.Fatal(err)
			}
			hide(t, dir)
			st.Quarantine = []dropship.Quarantined{{Hash: "0cc175b9c0f1b6a831c399e269772661", Error: "it does not start", UpdateID: "u1", Since: time.Now().UTC()}}
			if err := agent.Save(st); err == nil {
				t.Fatal("the state was saved: this test shows nothing")
			}
			show(t, dir)
			theirs, err := other.Load("web")
			if err != nil {
				t.Fatal(err)
			}
			test.save(theirs)
			if err := other.Save(theirs); err != nil {
				t.Fatal(err)
			}
			got, err := agent.Load("web")
			if err != nil || len(got.Quarantine) != test.want {
				t.Errorf("got %+v, %v, want %d quarantined", got, err, test.want)
			}
		})
	}
}

// hide puts a file in the place of a directory, in which nothing can be saved then, and show puts the directory back.
func hide(t *testing.T, dir string) {
	t.Helper()
	if err := os.Rename(dir, dir+".hidden"); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "")
}

func show(t *testing.T, dir string) {
	t.Helper()
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir+".hidden", dir); err != nil {
		t.Fatal(err)
	}
}
