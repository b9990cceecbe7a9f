package consul_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/dropship/dropship/lock"
	"github.com/dropship/dropship/test/servers"
)

// maxRequests is what an update may cost, whatever the number of machines, as the package's documentation counts them:
// the nine, and one more with several slots, or while others come into line.
const maxRequests = 10

// rollOut has n machines take one turn each, all at once.
func rollOut(ctx context.Context, n int, turn func(ctx context.Context, machine int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = turn(ctx, i) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// takeTurn is what an update asks of the locker.
func takeTurn(ctx context.Context, l lock.Locker, group string, slots, machine int) error {
	req := request(fmt.Sprint("web-", machine))
	req.Group, req.Slots = group, slots
	lease, err := l.Acquire(ctx, req)
	if err != nil {
		return err
	}
	if !lease.(lock.BoardLease).Unnoticed() {
		err = errors.New("it would have to ask the board again")
	}
	return errors.Join(err, lease.Check(ctx), lease.Release(ctx))
}

// The number of requests of one machine does not grow with the number of machines: no slot that comes free wakes a herd.
func TestRequestsPerMachineAreConstant(t *testing.T) {
	t.Parallel()
	address := servers.Get(t).Consul.Address
	prefix := newPrefix(t, newClient(t, address))
	for _, slots := range []int{1, 3} {
		for _, n := range []int{1, 10, 50} {
			start := time.Now()
			p := newProxy(t, address)
			l := newLocker(t, p.address, block(prefix, "30s"))
			group := fmt.Sprintf("g%d-%d", slots, n)
			if err := rollOut(t.Context(), n, func(ctx context.Context, i int) error {
				if _, err := l.(lock.Board).Quarantined(ctx, group, "shop", false); err != nil { // before the download
					return err
				}
				return takeTurn(ctx, l, group, slots, i)
			}); err != nil {
				t.Fatal(err)
			}
			requests, renewals := p.requests()
			got := float64(requests) / float64(n)
			t.Logf("%d slots, %2d machines: %.1f requests a machine, and %d renewals in all, %s", slots, n, got, renewals, time.Since(start))
			if got > maxRequests {
				t.Errorf("%d slots, %d machines: got %.1f requests a machine, want at most %d", slots, n, got, maxRequests)
			}
		}
	}
}

// BenchmarkHandOver compares what a turn takes in a roll-out with the same through Consul's own semaphore,
// which wakes every waiter at every release.
func BenchmarkHandOver(b *testing.B) {
	address := servers.Get(b).Consul.Address
	client := newClient(b, address)
	prefix := newPrefix(b, client)
	for _, n := range []int{10, 50} {
		b.Run(fmt.Sprint("machines=", n), func(b *testing.B) {
			var queue, semaphore time.Duration
			for i := range b.N {
				group := fmt.Sprintf("b%d-%d-%s", n, i, random())
				l := newLocker(b, address, block(prefix, "30s"))
				queue += timed(b, n, func(ctx context.Context, machine int) error { return takeTurn(ctx, l, group, 1, machine) })
				semaphore += timed(b, n, func(_ context.Context, _ int) error { return takeSemaphore(client, prefix+"/semaphore/"+group) })
			}
			turns := float64(b.N * n)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(queue.Seconds()*1000/turns, "queue-ms/turn")
			b.ReportMetric(semaphore.Seconds()*1000/turns, "semaphore-ms/turn")
			b.ReportMetric(float64(semaphore)/float64(queue), "semaphore/queue")
		})
	}
}

func timed(b *testing.B, n int, turn func(context.Context, int) error) time.Duration {
	b.Helper()
	start := time.Now()
	if err := rollOut(b.Context(), n, turn); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}

func takeSemaphore(client *api.Client, prefix string) error {
	s, err := client.SemaphoreOpts(&api.SemaphoreOptions{Prefix: prefix, Limit: 1, SessionTTL: "30s"})
	if err != nil {
		return err
	}
	if _, err := s.Acquire(nil); err != nil {
		return err
	}
	return s.Release()
}
