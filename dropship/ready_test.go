package dropship_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
)

// notReady is a hook that cannot run on this machine, and knows.
type notReady struct {
	hooks.Hook
	err error
}

func (h notReady) Ready() error { return h.err }

// What is known before the download costs no download, stops nothing, and is no fault of the artifact's.
func TestHookThatCannotRunIsToldBeforeTheDownload(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cause := errors.New("run dropship as root, or remove user")
	w.service.Before = hooks.Chain{w.hook("stop", nil)}
	start := w.hook("start", nil)
	start.Hook = notReady{start.Hook, cause}
	w.service.After = hooks.Chain{start}
	w.source.publish(pack(t, "1"), "r1")

	p, err := w.service.Plan(t.Context(), w.machine)
	if !errors.Is(err, cause) || p.Step != dropship.StepStage || p.Error != "stage: after hook 1, start: run dropship as root, or remove user" {
		t.Errorf("plan: got %v and %+v, want the hook and why it cannot run", err, p)
	}
	_, err = w.update()
	if step, ok := errors.AsType[*dropship.StepError](err); !ok || step.Step != dropship.StepStage || !errors.Is(err, cause) || !strings.Contains(err.Error(), "after hook 1, start") {
		t.Errorf("update: got %v, want the hook and why it cannot run", err)
	}
	w.wantRan()
	if _, opens := w.source.counts(); opens != 0 {
		t.Errorf("got %d downloads, want none", opens)
	}

	w.service.After[0].Hook = notReady{start.Hook, nil} // it runs as root now
	w.mustUpdate(dropship.Updated)
}
