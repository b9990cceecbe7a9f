package dropship_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
)

// A mortal is a world whose process dies at the one instant that left counts down to: each request to the
// repository, each step of saving a state, and both before and after what a hook does is one.
type mortal struct {
	*world
	left    int // instants until death; negative: immortal
	running bool
}

func (m *mortal) instant() {
	if m.left == 0 {
		m.left = -1
		runtime.Goexit()
	}
	m.left--
}

func newMortal(t *testing.T, broken string, stopFails bool) *mortal {
	m := &mortal{world: newWorld(t), left: -1, running: true}
	m.source.onStat, m.source.onOpen = m.instant, m.instant
	m.service.Before = hooks.Chain{m.hook("stop", func(context.Context, hooks.Event) error {
		m.instant()
		m.running = false
		m.instant()
		if stopFails && m.live() == "1" {
			return errors.New("still 12 connections")
		}
		return nil
	})}
	m.service.After = hooks.Chain{m.hook("start", func(context.Context, hooks.Event) error {
		m.instant()
		m.running = true
		m.instant()
		return nil
	}), m.brokenAt(broken), m.hook("announce", func(context.Context, hooks.Event) error { m.instant(); return nil })}
	m.service.After[2].When, m.service.After[2].OnError = hooks.Success, hooks.Continue
	m.source.publish(pack(t, "1"), "r1")
	m.mustUpdate(dropship.Updated)
	m.machine.Store.OnStep(func(string) { m.instant() })
	m.source.publish(pack(t, "2"), "r2")
	return m
}

// try runs one update and reports whether it died in it. What is at the destination then is old or new.
func (m *mortal) try(left int) (died bool) {
	m.t.Helper()
	m.left = left
	done := make(chan struct{})
	died = true
	go func() {
		defer close(done)
		_, _ = m.update()
		died = false
	}()
	<-done
	m.left = -1
	if got := m.live(); got != "1" && got != "2" {
		m.t.Fatalf("at the destination: got %q, want a release", got)
	}
	if died {
		m.restart()
		m.machine.Store.OnStep(func(string) { m.instant() })
	}
	return died
}

// Whatever an update was at when its process died, and the recovery after it too, and the one after that: the
// application runs in the end, and what is installed is what should be.
func TestDeathAtEveryInstantAndAgainInTheRecovery(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		broken    string
		stopFails bool
		want      string
	}{
		"good":     {"", false, "2"},
		"broken":   {"2", false, "1"},
		"given up": {"", true, "1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			instants := 0
			for first, died := 0, true; died; first++ {
				m := newMortal(t, tt.broken, tt.stopFails)
				died = m.try(first)
				if died {
					// Each first death is followed by two others, at instants that differ from one to the next.
					m.try(first * 7 % 23)
					m.try(first * 5 % 17)
				}
				for range 5 {
					m.try(-1)
				}
				want := tt.want
				if q := m.state().Quarantine; len(q) > 0 && strings.Contains(q[0].Error, "killed 3 times") {
					want = "1" // all three deaths were in its after chain
				}
				m.wantLive(want)
				if !m.running {
					t.Fatalf("death at instant %d: the application was left stopped\n%s", first, m.log)
				}
				if st := m.state(); st.Journal != nil {
					t.Errorf("death at instant %d: got the journal %+v", first, st.Journal)
				}
				folder := filepath.Join(filepath.Dir(m.service.Site.Destination()), ".web.dropship")
				if stages, err := filepath.Glob(filepath.Join(folder, "stage-*")); err != nil || len(stages) > 0 {
					t.Errorf("death at instant %d: got the stages %v, %v", first, stages, err)
				}
				if err := os.RemoveAll(m.dir); err != nil {
					t.Fatal(err)
				}
				instants++
			}
			if instants < 20 {
				t.Errorf("got only %d instants", instants)
			}
			t.Logf("died at %d instants", instants-1)
		})
	}
}
