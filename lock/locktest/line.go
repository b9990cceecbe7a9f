package locktest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dropship/dropship/lock"
)

// RunLine runs the suite of what the comments of lock.Line promise. Lockers that are Ordered know who waits, too.
func RunLine(t *testing.T, s Suite) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Suite)
	}{
		{"NobodyInLine", testNobodyInLine},
		{"WholeLine", testWholeLine},
		{"LineIsInNobodysWay", testLineIsInNobodysWay},
		{"LineOfBadGroup", testLineOfBadGroup},
		{"LineUnreachable", testLineUnreachable},
		{"LineCancelled", testLineCancelled},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, s)
		})
	}
}

// newLine returns the locker of a machine that only looks.
func newLine(t *testing.T, l lock.Locker) lock.Line {
	t.Helper()
	line, ok := l.(lock.Line)
	if !ok {
		t.Fatalf("%s is no lock.Line", l)
	}
	return line
}

// wantLine wants these hosts in line, in this order.
func wantLine(t *testing.T, l lock.Line, group string, want ...string) []lock.Holder {
	t.Helper()
	line, err := l.Line(t.Context(), group)
	var got []string
	for _, h := range line {
		got = append(got, h.Host)
	}
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("Line: got %q, error %v, want %q", got, err, want)
	}
	return line
}

func testNobodyInLine(t *testing.T, s Suite) {
	g, l := newGroup(t), newLine(t, s.New(t))
	wantLine(t, l, g)
	lease := acquire(t, s.New(t), request(g, 1, "web-01"))
	wantLine(t, l, g, "web-01")
	wantLine(t, l, g+"-2")
	release(t, lease)
	wantLine(t, l, g)
}

func testWholeLine(t *testing.T, s Suite) {
	g, l := newGroup(t), newLine(t, s.New(t))
	before := time.Now()
	first := request(g, 2, "web-01")
	acquire(t, s.New(t), first)
	second := acquire(t, s.New(t), request(g, 2, "web-02"))
	third := wait(t.Context(), t, s.New(t), request(g, 2, "web-03"))
	wait(t.Context(), t, s.New(t), request(g, 2, "web-04"))
	want := []string{"web-01", "web-02"}
	if s.Ordered {
		want = append(want, "web-03", "web-04")
	}
	line := wantLine(t, l, g, want...)
	holder := first.Holder
	holder.Slots, holder.Holding = 2, true
	if diff := cmp.Diff(holder, line[0], cmpopts.IgnoreFields(lock.Holder{}, "Since")); diff != "" {
		t.Errorf("who holds (-want +got):\n%s", diff)
	}
	if since := line[0].Since; since.Before(before.Add(-time.Second)) || since.After(time.Now()) {
		t.Errorf("got since %s, want when web-01 came into line, after %s", since, before)
	}
	for i, h := range line {
		if h.Holding != (i < 2) {
			t.Errorf("%s: got holding %t, want the first two to hold", h.Host, h.Holding)
		}
	}
	if !s.Ordered {
		return // any of the two may be next
	}
	release(t, second)
	if _, err := third.end(t); err != nil {
		t.Fatal(err)
	}
	wantLine(t, l, g, "web-01", "web-03", "web-04")
}

// Whoever looks, as often as he likes, keeps nobody from a slot.
func testLineIsInNobodysWay(t *testing.T, s Suite) {
	g, l := newGroup(t), newLine(t, s.New(t))
	ctx, stop := context.WithCancel(t.Context())
	looked := make(chan error, 1)
	go func() {
		for ctx.Err() == nil {
			line, err := l.Line(t.Context(), g)
			if err == nil && len(line) > 1 {
				err = fmt.Errorf("%v in line, want one at the most", line)
			}
			if err != nil {
				looked <- err
				return
			}
		}
		looked <- nil
	}()
	locker := s.New(t)
	for range 10 {
		req := request(g, 1, "web-01")
		req.Waiting = func(ahead []lock.Holder) {
			if len(ahead) > 0 {
				t.Errorf("waiting behind %v, want nobody: the slot is free", ahead)
			}
		}
		lease := acquire(t, locker, req)
		if err := lease.Check(t.Context()); err != nil {
			t.Errorf("Check: got %v, want nil", err)
		}
		release(t, lease)
	}
	stop()
	if err := <-looked; err != nil {
		t.Errorf("Line: %v", err)
	}
}

func testLineOfBadGroup(t *testing.T, s Suite) {
	for _, group := range []string{"", "../web", "web/a", ".web"} {
		if line, err := newLine(t, s.New(t)).Line(t.Context(), group); err == nil || line != nil {
			t.Errorf("%q: got (%v, %v), want an error", group, line, err)
		}
	}
}

func testLineUnreachable(t *testing.T, s Suite) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*patience)
	defer cancel()
	if line, err := newLine(t, s.Unreachable(t)).Line(ctx, newGroup(t)); err == nil || line != nil || ctx.Err() != nil {
		t.Errorf("got (%v, %v), want an error soon", line, err)
	}
}

func testLineCancelled(t *testing.T, s Suite) {
	shutdown := errors.New("the agent stops")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(shutdown)
	if line, err := newLine(t, s.New(t)).Line(ctx, newGroup(t)); !errors.Is(err, shutdown) || line != nil {
		t.Errorf("got (%v, %v), want the cause", line, err)
	}
}
