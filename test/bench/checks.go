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

// spread returns the most and the least requests that there were in a tenth of an interval, of all whole ones.
func spread(requests []request, begin time.Time, interval time.Duration) (most, least int) {
	if len(requests) == 0 {
		return 0, 0
	}
	tenth := interval / 10
	counts := make([]int, max(1, requests[len(requests)-1].at.Sub(begin)/tenth))
	for _, r := range requests {
		if i := int(r.at.Sub(begin) / tenth); i < len(counts) {
			counts[i]++
		}
	}
	return slices.Max(counts), slices.Min(counts)
}

// standardDeviation is that of how many of n services are checked in one tenth of the interval, each at any time.
func standardDeviation(n int) float64 { return math.Sqrt(float64(n) * 0.1 * 0.9) }

// answers are the times, in seconds, that a server took until it began to answer, of the requests that it has answered.
func answers(requests []request) series {
	var all series
	for _, r := range requests {
		if r.took > 0 {
			all = append(all, r.took.Seconds())
		}
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
