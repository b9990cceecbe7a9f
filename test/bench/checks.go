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
