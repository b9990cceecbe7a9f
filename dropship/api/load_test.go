package api_test

import (
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropship/dropship/dropship"
)

// A hundred calls a second while an update goes on, and all who follow it, change nothing about it: the same hooks run,
// the same comes of it, and every call is answered.
func TestUpdateWhileManyAsk(t *testing.T) {
	t.Parallel()
	const calls = 200
	quiet, busy := updated(t, func(*machine) {}), updated(t, func(m *machine) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var asking sync.WaitGroup
		defer asking.Wait()
		defer cancel()
		for range 5 {
			events, err := m.client.Events(ctx)
			if err != nil {
				t.Fatal(err)
			}
			asking.Go(func() {
				for _, err := range events {
					if err != nil {
						return // behind, or the end
					}
				}
			})
		}
		m.flood() // which leaves the followers behind, too
		done := make(chan error, calls)
		tick := time.NewTicker(time.Second / 100)
		defer tick.Stop()
		for range calls {
			<-tick.C
			asking.Go(func() {
				st, err := m.client.Status(ctx, "web")
				if err == nil && (st.Activity == nil || st.Activity.Step != dropship.StepBefore || st.Reason.Code != dropship.ReasonUpdating) {
					t.Errorf("got %+v, want that it is being updated", st)
				}
				done <- err
			})
		}
		for range calls {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
	if diff := cmp.Diff(quiet, busy); diff != "" {
		t.Errorf("with the calls (+) it is another update than without (-):\n%s", diff)
	}
}

// updated returns what is known of an update of a machine during which something is done.
func updated(t *testing.T, during func(*machine)) []string {
	t.Helper()
	m := newMachine(t)
	m.more = `  before "script" { command = "echo begun >>` + m.dir + `/ran; until [ -e ` + m.dir + `/go ]; do sleep 0.05; done" }`
	if err := os.WriteFile(m.path("go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	m.publish("1")
	m.start()
	m.settled("1")
	if err := os.Remove(m.path("go")); err != nil {
		t.Fatal(err)
	}
	m.publish("2")
	if _, err := m.client.Check(t.Context(), "web"); err != nil {
		t.Fatal(err)
	}
	m.wait("to run the before hook", func() bool { return strings.Count(m.ran(), "begun") == 2 })
	during(m)
	if err := os.WriteFile(m.path("go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	m.settled("2")
	records, err := m.client.History(t.Context(), "web", 0)
	if err != nil {
		t.Fatal(err)
	}
	known := []string{m.ran()}
	for _, r := range records {
		known = append(known, string(r.Status)+" "+string(r.Outcome)+" "+r.PreviousHash+" "+r.Hash+" "+r.Installed+" "+r.Error)
		for _, s := range r.Steps {
			known = append(known, string(s.Step)+" "+s.Error)
		}
		for _, h := range r.Hooks {
			known = append(known, string(h.Phase)+" "+h.Output+" "+h.Error)
		}
	}
	return known
}
