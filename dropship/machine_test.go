package dropship_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
)

// Each hash that fails is told of once, and an agent that has run for years remembers no more of that than one of today.
func TestWhatWasSaidDoesNotPileUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.source.publish(pack(t, "1"), "r1")
		w.mustUpdate(dropship.Updated)
		w.service.After = hooks.Chain{w.hook("check", func(context.Context, hooks.Event) error {
			if w.live() != "1" {
				return errors.New("503 from the application")
			}
			return nil
		})}
		w.start(w.service)
		remembered := 0
		for failed := range 5 {
			version := fmt.Sprintf("bad-%d", failed)
			w.source.publish(pack(t, version), version)
			time.Sleep(5 * time.Minute)
			synctest.Wait()
			if got := strings.Count(w.log.String(), `level=WARN msg="the repository holds a hash that failed here`); got != failed+1 {
				t.Fatalf("after %d hashes that failed: got %d lines about them, want one each\n%s", failed+1, got, w.log)
			}
			if got := w.machine.Topics(); failed > 0 && got != remembered {
				t.Errorf("after %d hashes that failed: %d things are remembered, and were %d after the first", failed+1, got, remembered)
			}
			remembered = w.machine.Topics()
		}
	})
}
