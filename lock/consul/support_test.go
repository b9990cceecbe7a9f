package consul_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/dropship/dropship/lock"
)

// patience is how long something may take that should happen at once: this machine may be busy.
const patience = 30 * time.Second

// slack is how late a test may notice that a lease is lost; that it is in time, to the moment, is shown by the
// simulation.
const slack = 10 * time.Second

func random() string { return rand.Text()[:10] }

func request(host string) lock.Request {
	return lock.Request{Group: "web", Slots: 1, Holder: lock.Holder{
		Host: host, PID: 4711, Service: "shop", Hash: "0cc175b9c0f1b6a831c399e269772661", UpdateID: "u1",
	}}
}

func acquire(t testing.TB, l lock.Locker, req lock.Request) lock.Lease {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	lease, err := l.Acquire(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lease.Release(context.Background()) })
	return lease
}

// A result is what an Acquire in the background returned.
type result struct {
	lease lock.Lease
	err   error
}

// wait starts an Acquire and returns when it stands in line.
func wait(t testing.TB, l lock.Locker, req lock.Request) <-chan result {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	waiting, done, ended := make(chan struct{}), make(chan result, 1), make(chan struct{})
	var once sync.Once
	req.Waiting = func([]lock.Holder) { once.Do(func() { close(waiting) }) }
	go func() {
		defer close(ended)
		lease, err := l.Acquire(ctx, req)
		done <- result{lease, err}
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
		select {
		case r := <-done:
			if r.lease != nil {
				_ = r.lease.Release(context.Background())
			}
		default:
		}
	})
	select {
	case <-waiting:
	case r := <-done:
		t.Fatalf("got (%v, %v), want it to wait", r.lease, r.err)
	case <-time.After(patience):
		t.Fatal("it does not stand in line")
	}
	return done
}

// turn returns what a waiter got within limit: a slot, which is given back after the test.
func turn(t testing.TB, waiter <-chan result, limit time.Duration) lock.Lease {
	t.Helper()
	r := get(t, waiter, limit, "the next in line")
	if r.err != nil {
		t.Fatalf("the next in line: got %v, want the slot", r.err)
	}
	t.Cleanup(func() { _ = r.lease.Release(context.Background()) })
	return r.lease
}

// get receives from c within limit.
func get[T any](t testing.TB, c <-chan T, limit time.Duration, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(limit):
		t.Fatalf("%s: nothing within %s", what, limit)
		panic("unreachable")
	}
}

// eventually polls until ok returns true.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	eventuallyWithin(t, patience, what, ok)
}

func eventuallyWithin(t testing.TB, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(limit)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%s: not within %s", what, limit)
		}
	}
}

// held fails the test if the lease is not held.
func held(t testing.TB, lease lock.Lease) {
	t.Helper()
	if err := lease.Check(t.Context()); err != nil {
		t.Errorf("Check: got %v, want nil", err)
	}
	select {
	case <-lease.Lost():
		t.Error("the lease is lost")
	default:
	}
}

func checkLost(t testing.TB, lease lock.Lease) {
	t.Helper()
	if err := lease.Check(t.Context()); !errors.Is(err, lock.ErrLost) {
		t.Errorf("Check: got %v, want ErrLost", err)
	}
}

// only returns the key of the one contender of a group.
func only(t testing.TB, client *api.Client, folder string) *api.KVPair {
	t.Helper()
	pairs := slices.DeleteFunc(contenders(t, client, folder), func(p *api.KVPair) bool { return strings.HasPrefix(p.Key, folder+".slot-") })
	if len(pairs) != 1 {
		t.Fatalf("got %d keys below %s, want 1", len(pairs), folder)
	}
	return pairs[0]
}

func block(prefix, ttl string) string { return fmt.Sprintf("prefix = %q\nttl = %q", prefix, ttl) }

// A proxy stands before Consul, counts requests by kind, and can answer in its place.
type proxy struct {
	address string
	consul  http.Handler

	mu     sync.Mutex
	counts map[string]int
	answer func(w http.ResponseWriter, r *http.Request, kind string) bool // true: done, do not ask Consul
	// failed is how many, but for renewals, Consul could not answer: who asked repeats them.
	failed int
}

func newProxy(t testing.TB, address string) *proxy {
	t.Helper()
	behind := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: address})
	p := &proxy{consul: behind, counts: map[string]int{}}
	fail := func(r *http.Request) {
		if kind(r) == "session/renew" {
			return
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.failed++
	}
	behind.ModifyResponse = func(answer *http.Response) error {
		if answer.StatusCode >= 500 {
			fail(answer.Request)
		}
		return nil
	}
	behind.ErrorHandler = func(w http.ResponseWriter, r *http.Request, _ error) {
		fail(r)
		w.WriteHeader(http.StatusBadGateway)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k := kind(r)
		p.mu.Lock()
		p.counts[k]++
		answer := p.answer
		p.mu.Unlock()
		if answer == nil || !answer(w, r, k) {
			behind.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	p.address = server.Listener.Addr().String()
	return p
}

// kind is "session/create", "session/renew", "txn", "kv" …
func kind(r *http.Request) string {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/v1/"), "/")
	if parts[0] == "session" && len(parts) > 1 {
		return parts[0] + "/" + parts[1]
	}
	return parts[0]
}

func (p *proxy) intercept(answer func(http.ResponseWriter, *http.Request, string) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = answer
}

func (p *proxy) count(kind string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts[kind]
}

// requests returns how many requests were answered, and how many renewals there were, which depend on time
// and not on the line.
func (p *proxy) requests() (requests, renewals int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for kind, n := range p.counts {
		if kind == "session/renew" {
			renewals += n
		} else {
			requests += n
		}
	}
	return requests - p.failed, renewals
}
