package main

import (
	"testing"
	"time"
)

func TestChecksAreCountedByIntervals(t *testing.T) {
	t.Parallel()
	begin := time.Unix(1000, 0)
	at := func(seconds, took float64) request {
		return request{at: begin.Add(time.Duration(seconds * 1e9)), took: time.Duration(took * 1e9)}
	}
	begins := []time.Time{begin, begin.Add(20 * time.Second)}
	// Two intervals of 10 s, with 10 s between them that do not count.
	requests := []request{at(-0.1, 1), at(0, 0.5), at(0.9, 3), at(1, 3), at(9.99, 0), at(10, 9), at(15, 9), at(20, 1)}
	sampled := during(requests, begins, 10*time.Second)
	if got, want := len(sampled), 5; got != want {
		t.Errorf("%d requests came during the intervals, want %d", got, want)
	}
	if most, least := spread(sampled, begins, 10*time.Second); most != 2 || least != 0 {
		t.Errorf("got %d to %d in a tenth, want 0 to 2", least, most)
	}
	if got, want := underWay(sampled), 2; got != want {
		t.Errorf("%d requests were under way at once, want %d", got, want)
	}
	if got, want := answers(sampled).median(), 2.0; got != want { // of 0.5, 3, 3 and 1
		t.Errorf("the median answer took %v s, want %v s", got, want)
	}
	if got := answers(nil).median(); got != 0 {
		t.Errorf("no answer took %v s", got)
	}
}
