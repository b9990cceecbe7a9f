package dropship_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/archive"
	"github.com/dropship/dropship/artifact/install"
	"github.com/dropship/dropship/dropship"
)

// A crowd is many services of one machine at one repository, which notes when it was asked for which.
type crowd struct {
	services []*dropship.Service
	machine  *dropship.Machine

	takes time.Duration // each answer
	turn  chan struct{} // has an element while one is answered; nil: they are side by side

	mu   sync.Mutex
	down bool
	asks map[string][]time.Time
}

const (
	crowdSize     = 100
	crowdInterval = 10 * time.Second
)

// newCrowd returns services that have what is in the repository already. Their states are not synced to disk, which
// would take most of the time.
func newCrowd(t testing.TB, size int) *crowd {
	t.Helper()
	dir := t.TempDir()
	c := &crowd{
		machine: dropship.NewMachine("web-01", dropship.NewStore(filepath.Join(dir, "state")), slog.New(slog.DiscardHandler)),
		asks:    make(map[string][]time.Time),
	}
	data := pack(t, "1")
	if err := os.Mkdir(filepath.Join(dir, "state"), 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range size {
		name := fmt.Sprintf("service-%04d", i)
		destination := filepath.Join(dir, "srv", name)
		if err := os.MkdirAll(destination, 0o755); err != nil {
			t.Fatal(err)
		}
		s := &source{data: data, revision: "r1"}
		state, err := json.Marshal(dropship.State{
			Version: 1, Service: name, Destination: destination,
			Installed: &dropship.Installed{Release: install.Release{Hash: md5Hex(data), Revision: "r1", Artifact: s.String()}},
		})
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "state", name+".json"), string(state))
		c.services = append(c.services, &dropship.Service{
			Name: name, Source: asked{s, name, c}, Fingerprint: "1", CheckInterval: crowdInterval,
			Site: install.New(install.Options{Destination: destination, Archive: archive.Options{Format: archive.TarGzip, UID: -1, GID: -1}}),
		})
	}
	return c
}

// asked is a source that tells its crowd of each check.
type asked struct {
	*source
	name  string
	crowd *crowd
}

func (s asked) Stat(ctx context.Context) (artifact.Info, error) {
	if s.crowd.turn != nil {
		s.crowd.turn <- struct{}{}
		defer func() { <-s.crowd.turn }()
	}
	s.crowd.mu.Lock()
	down := s.crowd.down
	s.crowd.asks[s.name] = append(s.crowd.asks[s.name], time.Now())
	s.crowd.mu.Unlock()
	if s.crowd.takes > 0 {
		select {
		case <-time.After(s.crowd.takes):
		case <-ctx.Done():
			return artifact.Info{}, ctx.Err()
		}
	}
	if down {
		return artifact.Info{}, errors.New("connection refused")
	}
	return s.source.Stat(ctx)
}

func (c *crowd) setDown(down bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = down
}

// start runs an agent for the services until the test ends. It is called in a bubble.
func (c *crowd) start(t testing.TB) *dropship.Agent {
	ctx, cancel := context.WithCancel(t.Context())
	a := dropship.NewAgent(c.machine)
	a.Start(ctx, c.services)
	t.Cleanup(func() { cancel(); a.Wait() })
	synctest.Wait()
	return a
}

// perSecond returns how many checks there were in each second from a time on.
func (c *crowd) perSecond(from time.Time, seconds int) []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := make([]int, seconds)
	for _, asks := range c.asks {
		for _, at := range asks {
			if i := int(at.Sub(from) / time.Second); !at.Before(from) && i < seconds {
				counts[i]++
			}
		}
	}
	return counts
}

// wantSpread wants no second of an interval to have many more checks than its share. By chance there are more than 30
// of 100 in one of ten seconds less than once in a million times.
func (c *crowd) wantSpread(t *testing.T, from time.Time) {
	t.Helper()
	for i, n := range c.perSecond(from, 10) {
		if n > 30 {
			t.Errorf("there were %d checks in second %d, want about 10", n, i)
		}
	}
}

func TestChecksSpreadOverTheInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, crowdSize)
		began := time.Now()
		c.start(t)
		if got := c.perSecond(began, 1)[0]; got < crowdSize {
			t.Errorf("%d services were checked at the start, want all %d", got, crowdSize)
		}
		time.Sleep(4 * crowdInterval)
		c.wantSpread(t, began.Add(crowdInterval))
		c.wantSpread(t, began.Add(3*crowdInterval))
	})
}

// The start in an outage, as of a machine whose network is not up yet: all fail at once, and again.
func TestChecksSpreadAfterAnOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, crowdSize)
		c.setDown(true)
		began := time.Now()
		c.start(t)
		c.setDown(false)
		time.Sleep(4 * crowdInterval)
		c.wantSpread(t, began.Add(3*crowdInterval))
	})
}

// A store that needs five seconds for the first checks of all is asked by some again before it has answered others.
func TestChecksSpreadAfterABusyStart(t *testing.T) {
	t.Parallel()
	const size = 1000
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, size)
		c.takes, c.turn = 5*time.Millisecond, make(chan struct{}, 1)
		began := time.Now()
		c.start(t)
		time.Sleep(4 * crowdInterval)
		// By chance there are more than 150 less than once in a million times.
		for i, n := range c.perSecond(began.Add(2*crowdInterval), 20) {
			if n > 150 {
				t.Errorf("there were %d checks in second %d, want about %d", n, 20+i, size/10)
			}
		}
	})
}

// A person who has every service checked does not bring them into step.
func TestChecksSpreadAfterOneOfAllServices(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, crowdSize)
		a := c.start(t)
		time.Sleep(2 * crowdInterval)
		for _, s := range c.services {
			if _, err := a.Check(t.Context(), s.Name); err != nil {
				t.Fatal(err)
			}
		}
		asked := time.Now()
		time.Sleep(2 * crowdInterval)
		c.wantSpread(t, asked.Add(crowdInterval))
	})
}

// A reload, of nothing and of one service, shifts no check of the others.
func TestReloadShiftsNoCheck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, crowdSize)
		a := c.start(t)
		time.Sleep(2*crowdInterval + 50*time.Millisecond) // between two beats
		next := make(map[string]time.Time)
		for _, s := range a.Statuses() {
			next[s.Name] = s.NextCheck
		}
		again := make([]*dropship.Service, len(c.services))
		for i, s := range c.services {
			same := *s
			again[i] = &same
		}
		a.Reload(again)
		changed := *again[7]
		changed.Fingerprint = "2"
		again[7] = &changed
		reloaded := time.Now()
		a.Reload(again)
		synctest.Wait()
		if got := c.perSecond(reloaded, 1)[0]; got != 1 {
			t.Errorf("%d services were checked at the reload, want the one that changed", got)
		}
		for _, s := range a.Statuses() {
			if s.Name != changed.Name && !s.NextCheck.Equal(next[s.Name]) {
				t.Errorf("the next check of %s is at %s, and was to be at %s", s.Name, s.NextCheck, next[s.Name])
			}
		}
		time.Sleep(2 * crowdInterval)
		c.mu.Lock()
		defer c.mu.Unlock()
		for name, asks := range c.asks {
			if name == changed.Name {
				continue
			}
			for i := 2; i < len(asks); i++ {
				if wait := asks[i].Sub(asks[i-1]); wait < 9*time.Second || wait > 11100*time.Millisecond {
					t.Errorf("%s was checked %s after the check before, want 10s give or take a tenth", name, wait)
				}
			}
		}
	})
}

func TestFailedFirstCheckKeepsItsBackOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCrowd(t, crowdSize)
		c.setDown(true)
		c.start(t)
		time.Sleep(time.Minute)
		c.mu.Lock()
		defer c.mu.Unlock()
		for name, asks := range c.asks {
			if wait := asks[1].Sub(asks[0]); wait < 9*time.Second || wait > 11100*time.Millisecond {
				t.Errorf("%s was checked again %s after its first check failed, want 10s give or take a tenth", name, wait)
			}
			if wait := asks[2].Sub(asks[1]); wait < 18*time.Second || wait > 22100*time.Millisecond {
				t.Errorf("%s was checked again %s after its second check failed, want 20s give or take a tenth", name, wait)
			}
		}
		if len(c.asks) != crowdSize {
			t.Errorf("%d services were checked, want %d", len(c.asks), crowdSize)
		}
	})
}
