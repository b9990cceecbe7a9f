package dropship_test

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dropship/dropship/hooks"
)

func TestAgentIsAliveDuringALongHook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		running := false
		w.service.Before = append(w.service.Before, hooks.Step{
			Hook: hookFunc{run: func(context.Context, hooks.Event) error {
				running = true
				time.Sleep(time.Hour)
				return nil
			}},
			Timeout: 2 * time.Hour,
		})
		w.source.publish(pack(t, "1"), "r1")
		a, stop := w.start(w.service)
		for range 59 {
			time.Sleep(time.Minute)
			synctest.Wait()
			if !running || !a.Alive() {
				t.Fatalf("got alive %t while the hook runs (%t), want true", a.Alive(), running)
			}
		}
		time.Sleep(2 * time.Minute)
		w.wantLive("1")
		stop()
		if !a.Alive() {
			t.Error("got not alive, want true of an agent that was told to stop")
		}
	})
}

// The process goes on without it, and nothing updates the service any more.
func TestAgentWhoseLoopEndedIsNotAlive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.service.Before = append(w.service.Before, hooks.Step{
			Hook: hookFunc{run: func(context.Context, hooks.Event) error {
				runtime.Goexit()
				return nil
			}},
			Timeout: time.Hour,
		})
		a, _ := w.start(w.service)
		if !a.Alive() {
			t.Error("got not alive, want true: nothing is published yet")
		}
		w.source.publish(pack(t, "1"), "r1")
		time.Sleep(time.Minute)
		synctest.Wait()
		if a.Alive() {
			t.Error("got alive, want false: the loop of the service has ended")
		}
	})
}
