package dropship_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/archive"
	"github.com/dropship/dropship/artifact/install"
	"github.com/dropship/dropship/dropship"
)

// BenchmarkCheck is one check of a service that is up to date, but for the request: what a machine does for it on its
// own disk, and what it tells its agent.
func BenchmarkCheck(b *testing.B) {
	dir := b.TempDir()
	m := dropship.NewMachine("web-01", dropship.NewStore(filepath.Join(dir, "state")), slog.New(slog.DiscardHandler))
	dropship.NewAgent(m) // which observes
	s := &dropship.Service{
		Name: "web", Source: &source{data: pack(b, "1"), revision: "r1"}, CheckInterval: time.Minute,
		Site: install.New(install.Options{
			Destination: filepath.Join(dir, "srv", "web"), Keep: 3,
			Archive: archive.Options{Format: archive.TarGzip, UID: -1, GID: -1},
		}),
	}
	check := func(want dropship.Outcome) {
		if r, err := s.Update(b.Context(), m); err != nil || r.Outcome != want {
			b.Fatalf("got outcome %q, error %v, want %q", r.Outcome, err, want)
		}
	}
	check(dropship.Updated)
	check(dropship.UpToDate)
	b.ReportAllocs()
	for b.Loop() {
		check(dropship.UpToDate)
	}
}

// BenchmarkSchedule is one check of the many that an agent makes for a thousand services whose timers never rest.
func BenchmarkSchedule(b *testing.B) {
	c := newCrowd(b, 1000)
	ctx, cancel := context.WithCancel(b.Context())
	var left atomic.Int64
	left.Store(int64(b.N))
	for _, s := range c.services {
		s.CheckInterval = time.Millisecond
		s.Source = counted{s.Source, func() {
			if left.Add(-1) == 0 {
				cancel()
			}
		}}
	}
	b.ReportAllocs()
	b.ResetTimer()
	a := dropship.NewAgent(c.machine)
	a.Start(ctx, c.services)
	a.Wait()
}

// counted is a source that tells of each check.
type counted struct {
	artifact.Source
	checked func()
}

func (s counted) Stat(ctx context.Context) (artifact.Info, error) {
	s.checked()
	return s.Source.Stat(ctx)
}
