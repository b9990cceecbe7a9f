package consul_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dropship/dropship/lock"
	"github.com/dropship/dropship/lock/consul"
)

var (
	simulations = flag.Int("simulations", 12, "how many histories to simulate, each of some hundred turns")
	seed        = flag.Uint64("seed", 0, "simulate the one history of this seed")
)

// A link is the way between one machine and the model: it delays, loses requests and answers, and can be cut.
type link struct {
	model *model
	mu    sync.Mutex
	rand  *rand.Rand
	worst time.Duration // of the delays
	bad   bool          // a twentieth is lost
	cut   bool
}

var errCut = errors.New("connection refused")

// RoundTrip implements http.RoundTripper.
func (l *link) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		_ = r.Body.Close()
	}
	if err := l.pass(r.Context()); err != nil {
		return nil, err
	}
	answer := l.model.serve(r, body)
	if answer == nil {
		return nil, r.Context().Err()
	}
	if err := l.pass(r.Context()); err != nil {
		return nil, err // it was done, and who asked does not know
	}
	answer.Request = r
	return answer, nil
}

// pass takes the time that a message takes, and fails if it is lost: at once, or by never arriving.
func (l *link) pass(ctx context.Context) error {
	l.mu.Lock()
	cut := l.cut
	delay := time.Duration(l.rand.Int64N(int64(l.worst))) + 1
	lost := l.bad && l.rand.IntN(20) == 0
	refused := l.rand.IntN(2) == 0
	l.mu.Unlock()
	switch {
	case (cut || lost) && refused:
		return errCut
	case cut || lost:
		<-ctx.Done()
		return ctx.Err()
	}
	select {
	case <-time.After(delay):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *link) set(cut, bad bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut, l.bad = cut, bad
}

// Whatever happens to sessions, leaders and links, at most `slots` machines hold, nobody is overtaken, and when it has
// ended everybody gets a turn. It is the real code against a model of Consul, in simulated time; a history that fails is repeated
// with -run TestSimulat -seed N.
func TestSimulatedHistories(t *testing.T) {
	t.Parallel()
	turns, lost := 0, 0
	first, last := uint64(1), uint64(*simulations)
	if *seed != 0 {
		first, last = *seed, *seed
	}
	for n := first; n <= last && !t.Failed(); n++ {
		synctest.Test(t, func(t *testing.T) {
			a, b := simulate(t, n)
			turns, lost = turns+a, lost+b
		})
	}
	t.Logf("%d histories, %d turns, %d slots lost", last-first+1, turns, lost)
	if *seed == 0 && lost < turns/100 {
		t.Errorf("only %d of %d slots were lost: this shows little", lost, turns)
	}
}

// simulate runs one history and returns how many turns there were, and how many of them were lost.
func simulate(t *testing.T, seed uint64) (turns, lost int) {
	random := rand.New(rand.NewPCG(seed, 0))
	m, start := newModel(), time.Now()
	w := &witness{slots: 1 + random.IntN(3)}
	if w.slots == 1 { // then nothing changes on the board between an entry and what the next holder does
		noticed := false
		w.notice = func(l lock.Lease) {
			if l.(lock.BoardLease).Unnoticed() == noticed {
				t.Errorf("seed %d: Unnoticed: got %t, want %t, as the holder before has left it", seed, noticed, !noticed)
			}
			noticed = !noticed
			m.notice(request("").Holder, noticed)
		}
	}
	ttl := time.Duration(1+random.IntN(60)) * time.Second
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	machines := w.slots + 1 + random.IntN(6)
	links, losses, taken := make([]*link, machines), make([]int, machines), make([]atomic.Int64, machines)
	for i := range machines {
		own := rand.New(rand.NewPCG(seed, uint64(i+1)))
		links[i] = &link{model: m, rand: rand.New(rand.NewPCG(seed, uint64(i+1001))), worst: ttl / 50}
		l := newLocker(t, "model", block("slots", ttl.String()))
		consul.Simulated(l, links[i], func() time.Duration { return time.Since(start) })
		wg.Go(func() {
			losses[i] = contend(ctx, l, w, fmt.Sprint("web-", i), func() time.Duration {
				taken[i].Add(1)
				return time.Duration(own.Int64N(int64(ttl))) / 5 * time.Duration(1+own.IntN(3)*own.IntN(6))
			})
		})
	}
	for range 60 {
		time.Sleep(time.Duration(random.Int64N(int64(ttl))))
		disturb(random, m, links, ttl)
	}
	for _, l := range links {
		l.set(false, false)
	}
	// A slot that was lost stays closed for as long as it takes; then each machine gets its turn after all others.
	time.Sleep(2 * ttl)
	before := make([]int64, machines)
	for i := range taken {
		before[i] = taken[i].Load()
	}
	time.Sleep(time.Duration(machines+2) * 5 * ttl)
	synctest.Wait()
	for i := range taken {
		if taken[i].Load() == before[i] {
			t.Errorf("seed %d: machine %d got no turn once all was well (TTL %s, %d slots, %d machines)", seed, i, ttl, w.slots, machines)
		}
	}
	cancel()
	wg.Wait()
	for _, n := range losses {
		lost += n
	}
	if w.overlaps > 0 {
		t.Errorf("seed %d: %d times more than %d held at once: up to %d (TTL %s)", seed, w.overlaps, w.slots, w.most, ttl)
	}
	if m.ahead >= w.slots {
		t.Errorf("seed %d: a slot was taken behind %d others, with %d slots: somebody was overtaken", seed, m.ahead, w.slots)
	}
	if w.most < w.slots {
		t.Errorf("seed %d: never more than %d of %d slots were used", seed, w.most, w.slots)
	}
	return w.turns, lost
}

// disturb does one thing to the model or to a link, or ends all that was done to a link.
func disturb(random *rand.Rand, m *model, links []*link, ttl time.Duration) {
	l := links[random.IntN(len(links))]
	switch random.IntN(8) {
	case 0, 1: // an operator, or an agent that leaves; the holder may be cut off from it at the same time
		l.set(random.IntN(2) == 0, false)
		for _, id := range m.holders() {
			m.invalidate(id)
		}
	case 2:
		m.elect(time.Duration(random.Int64N(int64(ttl))))
	case 3, 4: // a partition: this machine is with the minority
		l.set(true, false)
	case 5: // a flapping link
		for range 5 {
			l.set(true, false)
			time.Sleep(time.Duration(random.Int64N(int64(ttl / 10))))
			l.set(false, false)
			time.Sleep(time.Duration(random.Int64N(int64(ttl / 10))))
		}
	case 6:
		l.set(false, true)
	case 7:
		for _, l := range links {
			l.set(false, false)
		}
	}
}

// However long a hook runs, its machine keeps the slot, through outages that come again and again.
func TestSimulatedLongHold(t *testing.T) {
	t.Parallel()
	for n := range uint64(4) {
		synctest.Test(t, func(t *testing.T) {
			const ttl = 15 * time.Second
			random := rand.New(rand.NewPCG(n, 7))
			m, start := newModel(), time.Now()
			network := &link{model: m, rand: rand.New(rand.NewPCG(n, 8)), worst: ttl / 50}
			l := newLocker(t, "model", block("slots", ttl.String()))
			consul.Simulated(l, network, func() time.Duration { return time.Since(start) })
			lease, err := l.Acquire(t.Context(), request("web-01"))
			if err != nil {
				t.Fatal(err)
			}
			for time.Since(start) < time.Hour {
				time.Sleep(time.Duration(random.Int64N(int64(ttl))) + ttl/3)
				outage := time.Duration(random.Int64N(int64(ttl * 3 / 10)))
				if random.IntN(2) == 0 {
					m.elect(outage)
					continue
				}
				network.set(true, false)
				time.Sleep(outage)
				network.set(false, false)
			}
			if err := lease.Err(); err != nil {
				t.Errorf("seed %d: after %s: got %v, want the slot still held", n, time.Since(start), err)
			}
			if err := errors.Join(lease.Check(t.Context()), lease.Release(t.Context())); err != nil {
				t.Errorf("seed %d: %v", n, err)
			}
		})
	}
}
