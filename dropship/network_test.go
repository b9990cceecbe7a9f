package dropship_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/dropship"
)

// A deadSource answers checks, and no byte of its artifacts ever arrives.
type deadSource struct {
	*source
	key string
}

func (s *deadSource) String() string { return "mem://dead/" + s.key }

func (s *deadSource) Open(ctx context.Context, _ artifact.Info, _, _ int64) (io.ReadCloser, error) {
	<-ctx.Done()
	return nil, fmt.Errorf("cannot open %s: %w", s, ctx.Err())
}

// However many downloads of one dead store hang, a service of another store is updated at once.
func TestDeadStoreHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		healthy := newWorld(t)
		var dead []*dropship.Service
		for i := range 10 {
			w := newWorld(t)
			w.source.publish(pack(t, "1"), "r1")
			w.service.Name = fmt.Sprint("dead-", i)
			w.service.Source = &deadSource{w.source, fmt.Sprint(i, ".tar.gz")}
			dead = append(dead, w.service)
		}
		healthy.startWith(dead)
		synctest.Wait() // all of them download, or wait for it
		healthy.source.publish(pack(t, "1"), "r1")
		began := time.Now()
		healthy.mustUpdate(dropship.Updated)
		if took := time.Since(began); took != 0 {
			t.Errorf("updated after %s, want at once", took)
		}
		healthy.wantLive("1")
	})
}

// A repository that asks to be left alone is, for that long or five minutes, and then the service goes on by itself.
func TestBusyRepositoryIsLeftAlone(t *testing.T) {
	t.Parallel()
	for asked, want := range map[time.Duration]time.Duration{
		2 * time.Minute:      2 * time.Minute,
		365 * 24 * time.Hour: artifact.MaxRetryAfter,
	} {
		t.Run(asked.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.source.publish(pack(t, "1"), "r1")
				busy := &artifact.BusyError{Err: errors.New("the server answers 503"), After: asked}
				w.source.set(func(s *source) { s.err = busy })
				w.start(w.service)
				w.source.set(func(s *source) { s.err = nil })
				time.Sleep(want - time.Second)
				synctest.Wait()
				if got := w.live(); got != "" {
					t.Errorf("installed %q before the repository wanted to be asked again", got)
				}
				time.Sleep(want/10 + 2*time.Second)
				synctest.Wait()
				w.wantLive("1")
			})
		})
	}
}
