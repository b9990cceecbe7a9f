//go:build linux

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
	keep(b, m.Store)
	b.ReportAllocs()
	for b.Loop() {
		check(dropship.UpToDate)
	}
}

// BenchmarkSchedule is a round of a thousand checks, by an agent of a thousand services whose intervals are too short for
// it ever to rest. It begins and ends with a check of each service at its repository, which answers a round at a time.
func BenchmarkSchedule(b *testing.B) {
	const services = 1000
	c := newCrowd(b, services)
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	begun, answer := make(chan struct{}, services), make(chan struct{})
	for _, s := range c.services {
		s.CheckInterval = time.Millisecond
		s.Source = gated{s.Source, begun, answer}
	}
	a := dropship.NewAgent(c.machine)
	a.Start(ctx, c.services)
	round := func() {
		for range services {
			answer <- struct{}{}
		}
		for range services {
			<-begun
		}
	}
	for range services {
		<-begun
	}
	for _, s := range c.services {
		for !c.machine.Store.Keeps(s.Name) { // the first checks of each do more
			round()
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		round()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/services, "ns/check")
	cancel()
	close(answer)
	a.Wait()
}

// gated is a source that tells of each check, and answers when it is let.
type gated struct {
	artifact.Source
	begun  chan<- struct{}
	answer <-chan struct{}
}

func (s gated) Stat(ctx context.Context) (artifact.Info, error) {
	s.begun <- struct{}{}
	<-s.answer
	return s.Source.Stat(ctx)
}
