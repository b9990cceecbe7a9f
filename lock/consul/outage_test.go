package consul_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/dropship/dropship/lock"
	"github.com/dropship/dropship/test/servers"
)

func TestConsulKilledWhileHolding(t *testing.T) {
	t.Parallel()
	const ttl = 5 * time.Second
	server := servers.NewConsul(t)
	l := newLocker(t, server.Address, block("slots", ttl.String()))
	lease := acquire(t, l, request("web-01"))
	server.Kill()
	killed := time.Now()
	get(t, lease.Lost(), patience, "Lost after Consul was killed")
	// The last renewal was sent before the kill, so this is sooner than Consul could give the slot to another.
	if took := time.Since(killed); took >= ttl+slack {
		t.Errorf("Lost was closed %s after the kill, want less than the TTL of %s", took, ttl)
	}
	checkLost(t, lease)
	if err := lease.Release(t.Context()); err == nil {
		t.Error("Release: got nil, want an error: nobody was told")
	}
	if _, err := l.Acquire(t.Context(), request("web-01")); err == nil || errors.Is(err, lock.ErrBusy) {
		t.Errorf("Acquire without Consul: got %v, want an error that is not ErrBusy", err)
	}

	server.Start()
	if err := lease.Release(t.Context()); err != nil {
		t.Errorf("Release again, with Consul: %v", err)
	}
	held(t, acquire(t, l, request("web-01")))
}

func TestShortOutageCostsNothing(t *testing.T) {
	t.Parallel()
	server := servers.NewConsul(t)
	l := newLocker(t, server.Address, block("slots", "30s"))
	lease := acquire(t, l, request("web-01"))
	waiter := wait(t, l, request("web-02"))
	server.Kill()
	server.Start()
	held(t, lease)
	if err := lease.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	held(t, turn(t, waiter, patience)) // it kept its place
}

func TestConsulKilledWhileWaiting(t *testing.T) {
	t.Parallel()
	server := servers.NewConsul(t)
	l := newLocker(t, server.Address, block("slots", "5s"))
	acquire(t, l, request("web-01"))
	waiter := wait(t, l, request("web-02"))
	server.Kill()
	r := get(t, waiter, patience, "the waiter")
	if !errors.Is(r.err, lock.ErrLost) || errors.Is(r.err, lock.ErrBusy) || !strings.Contains(r.err.Error(), "connection refused") {
		t.Errorf("got (%v, %v), want ErrLost, not ErrBusy, and the reason", r.lease, r.err)
	}
}
