package dropship_test

import (
	"context"
	"log/slog"
	"path/filepath"
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
	defer cancel()
	checks := make(chan struct{})
	for _, s := range c.services {
		s.CheckInterval = time.Millisecond
		s.Source = counted{s.Source, checks}
	}
	a := dropship.NewAgent(c.machine)
	a.Start(ctx, c.services)
	for range 3 * len(c.services) { // the first one of each does more
		<-checks
	}
	b.ReportAllocs()
	for b.Loop() {
		<-checks
	}
	cancel()
	go func() {
		for range checks { // of those that were about to be made
		}
	}()
	a.Wait()
	close(checks)
}

// counted is a source that tells of each check.
type counted struct {
	artifact.Source
	checks chan<- struct{}
}

func (s counted) Stat(ctx context.Context) (artifact.Info, error) {
	s.checks <- struct{}{}
	return s.Source.Stat(ctx)
}
