package locktest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/dropship/dropship/lock"
)

func testNamesItself(t *testing.T, s Suite) {
	if s.New(t).String() == "" {
		t.Error(`String: got "", want a name for logs`)
	}
}

func testBadRequest(t *testing.T, s Suite) {
	for name, req := range map[string]lock.Request{
		"no group":     request("", 1, "web-01"),
		"path":         request("../web", 1, "web-01"),
		"folder":       request("web/a", 1, "web-01"),
		"hidden":       request(".web", 1, "web-01"),
		"no slots":     request(newGroup(t), 0, "web-01"),
		"less than no": request(newGroup(t), -1, "web-01"),
	} {
		lease, err := s.New(t).Acquire(t.Context(), req)
		if err == nil || lease != nil || errors.Is(err, lock.ErrBusy) {
			t.Errorf("%s: got (%v, %v), want an error that is not ErrBusy", name, lease, err)
		}
	}
}

func testMutualExclusion(t *testing.T, s Suite) {
	const machines, rounds = 8, 5
	g := newGroup(t)
	r := &room{limit: 1}
	visits(t, s, func(int) string { return g }, map[string]*room{g: r}, machines, rounds)
	if r.entered != machines*rounds {
		t.Errorf("got %d turns, want %d", r.entered, machines*rounds)
	}
}

func testNeverMoreThanSlots(t *testing.T, s Suite) {
	const machines, rounds = 9, 4
	g := newGroup(t)
	r := &room{limit: 3}
	visits(t, s, func(int) string { return g }, map[string]*room{g: r}, machines, rounds)
	if r.entered != machines*rounds {
		t.Errorf("got %d turns, want %d", r.entered, machines*rounds)
	}
}

func testAllSlotsAreUsed(t *testing.T, s Suite) {
	const slots = 3
	g := newGroup(t)
	var leases []lock.Lease
	for i := range slots {
		leases = append(leases, acquire(t, s.New(t), request(g, slots, fmt.Sprintf("web-%02d", i))))
	}
	w := wait(t.Context(), t, s.New(t), request(g, slots, "web-99"))
	// Any of them coming free is enough, not only the first.
	release(t, leases[1])
	fourth, err := w.end(t)
	if err != nil {
		t.Fatalf("the fourth machine: got %v, want the slot that came free", err)
	}
	for _, i := range []int{0, 2} {
		if err := leases[i].Check(t.Context()); err != nil {
			t.Errorf("Check of slot %d: got %v, want nil", i, err)
		}
	}
	// Those that come free together are all taken, and nobody waits for one to come free again.
	var next []*waiter
	for i := range slots {
		next = append(next, wait(t.Context(), t, s.New(t), request(g, slots, fmt.Sprintf("db-%02d", i))))
	}
	for _, lease := range []lock.Lease{leases[2], fourth, leases[0]} {
		release(t, lease)
	}
	for i, w := range next {
		if _, err := w.end(t); err != nil {
			t.Errorf("machine %d of the next ones: got %v, want one of the slots that came free", i, err)
		}
	}
}

func testOrderOfArrival(t *testing.T, s Suite) {
	if !s.Ordered {
		t.Logf("%s does not promise an order", s.New(t))
		return
	}
	const waiters = 5
	for slots := 1; slots <= 3; slots++ {
		g := newGroup(t)
		ctx, cancel := context.WithTimeout(t.Context(), 5*patience)
		defer cancel()
		var held []lock.Lease
		for i := range slots {
			held = append(held, acquire(t, s.New(t), request(g, slots, fmt.Sprintf("web-first-%02d", i))))
		}
		var line []*waiter
		for i := range waiters {
			line = append(line, wait(ctx, t, s.New(t), request(g, slots, fmt.Sprintf("web-%02d", i))))
		}
		for i, w := range line {
			release(t, held[0])
			lease, err := w.end(t)
			if err != nil {
				t.Fatalf("%d slots, web-%02d: got %v, want the slot that came free", slots, i, err)
			}
			held = append(held[1:], lease)
			for j, later := range line[i+1:] {
				select {
				case <-later.done:
					t.Fatalf("%d slots: web-%02d got (%v, %v) while it is the turn of web-%02d", slots, i+1+j, later.lease, later.err, i)
				default:
				}
			}
		}
	}
}

func testGroupsAreIndependent(t *testing.T, s Suite) {
	a, b := newGroup(t), newGroup(t)
	acquire(t, s.New(t), request(a, 1, "web-01"))
	// A name that begins like another, and one that is longer, are other groups.
	for _, g := range []string{b, a + "-2", a[:len(a)-1]} {
		acquire(t, s.New(t), request(g, 1, "web-02"))
	}
	rooms := map[string]*room{}
	for i := range 3 {
		rooms[fmt.Sprint(b, i)] = &room{limit: 1}
	}
	visits(t, s, func(machine int) string { return fmt.Sprint(b, machine%3) }, rooms, 6, 3)
}

func testServicesShareGroup(t *testing.T, s Suite) {
	g := newGroup(t)
	shop, cart := request(g, 1, "web-01"), request(g, 1, "web-01")
	cart.Holder.Service = "cart"
	l := s.New(t)
	first := acquire(t, l, shop)
	w := wait(t.Context(), t, l, cart)
	release(t, first)
	if _, err := w.end(t); err != nil {
		t.Errorf("the other service: got %v, want the slot", err)
	}
}

func testOneProcessSeveralRequests(t *testing.T, s Suite) {
	g := newGroup(t)
	l, r := s.New(t), &room{limit: 2}
	ctx, cancel := context.WithTimeout(t.Context(), 5*patience)
	defer cancel()
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for range 3 {
				if err := visit(ctx, l, request(g, 2, "web-01"), r); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if r.entered != 18 {
		t.Errorf("got %d turns, want 18", r.entered)
	}
}

func testSlotsDisagree(t *testing.T, s Suite) {
	g := newGroup(t)
	lease := acquire(t, s.New(t), request(g, 1, "web-01"))
	later, err := s.New(t).Acquire(t.Context(), request(g, 2, "web-02"))
	var slots *lock.SlotsError
	if !errors.As(err, &slots) || later != nil {
		t.Fatalf("got (%v, %v), want a *lock.SlotsError", later, err)
	}
	if slots.Group != g || slots.Slots != 2 || slots.Other.Slots != 1 || slots.Other.Host != "web-01" {
		t.Errorf("got %+v, want group %s, 2 here and 1 on web-01", slots, g)
	}
	if errors.Is(err, lock.ErrBusy) {
		t.Error("a *lock.SlotsError must not be ErrBusy")
	}
	if err := lease.Check(t.Context()); err != nil {
		t.Errorf("Check of who came first: got %v, want nil", err)
	}
	select {
	case <-lease.Lost():
		t.Error("who came first has lost its slot")
	default:
	}
	release(t, lease)
	acquire(t, s.New(t), request(g, 2, "web-02")) // nobody left to disagree with
}
