package main

import (
	"context"
	"math"
	"slices"
	"time"
)

// pause waits, unless ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// gaps are the least and the most time, in seconds, between two checks of the same service.
type gaps struct{ least, most float64 }

// gapsOf returns those of all services in some requests, which are in order. Without two of any it is zero.
func gapsOf(requests []request) gaps {
	last := make(map[string]time.Time)
	var all []float64
	for _, r := range requests {
		if before, ok := last[r.what]; ok {
			all = append(all, r.at.Sub(before).Seconds())
		}
		last[r.what] = r.at
	}
	if len(all) == 0 {
		return gaps{}
	}
	return gaps{slices.Min(all), slices.Max(all)}
}

// during returns the requests that came within the intervals which began at those times.
func during(requests []request, begins []time.Time, interval time.Duration) []request {
	var all []request
	for _, r := range requests {
		if slices.ContainsFunc(begins, func(begin time.Time) bool { return tenthOf(r, begin, interval) >= 0 }) {
			all = append(all, r)
		}
	}
	return all
}

// spread returns the most and the least requests that there were in a tenth of one of those intervals.
func spread(requests []request, begins []time.Time, interval time.Duration) (most, least int) {
	var counts []int
	for _, begin := range begins {
		var tenths [10]int
		for _, r := range requests {
			if i := tenthOf(r, begin, interval); i >= 0 {
				tenths[i]++
			}
		}
		counts = append(counts, tenths[:]...)
	}
	return slices.Max(counts), slices.Min(counts)
}

// tenthOf returns in which tenth of an interval a request came, -1 if in none.
func tenthOf(r request, begin time.Time, interval time.Duration) int {
	if past := r.at.Sub(begin); past >= 0 && past < interval {
		return int(10 * past / interval)
	}
	return -1
}

// standardDeviation is that of how many of n services are checked in one tenth of the interval, each at any time.
func standardDeviation(n int) float64 { return math.Sqrt(float64(n) * 0.1 * 0.9) }

// answers are the times, in seconds, that a server took until it began to answer, of the requests that it has answered;
// 0 where it has answered none.
func answers(requests []request) series {
	var all series
	for _, r := range requests {
		if r.took > 0 {
			all = append(all, r.took.Seconds())
		}
	}
	if all == nil {
		return series{0}
	}
	return all
}

// underWay is how many requests were with a server at a time, at most.
func underWay(requests []request) (most int) {
	type change struct {
		at time.Time
		by int
	}
	var changes []change
	for _, r := range requests {
		if r.took > 0 {
			changes = append(changes, change{r.at, 1}, change{r.at.Add(r.took), -1})
		}
	}
	slices.SortFunc(changes, func(a, b change) int { return a.at.Compare(b.at) })
	now := 0
	for _, c := range changes {
		now += c.by
		most = max(most, now)
	}
	return most
}
