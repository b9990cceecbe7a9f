package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// A verdict is what became of one figure after the warm-up.
type verdict struct {
	series
	level   float64 // median
	rise    float64 // from the beginning to the end of that time
	allowed float64
}

func (v verdict) flat() bool { return v.rise <= v.allowed }

func (v verdict) String() string {
	word := "flat"
	if !v.flat() {
		word = "GROWS"
	}
	unit := v.unit
	if unit != "" {
		unit = " " + unit
	}
	percent := 0.0
	if v.level > 0 {
		percent = 100 * v.rise / v.level
	}
	return fmt.Sprintf("%-18s %8.1f%-4s %+8.2f %+7.1f %%   at most %+.2f   %s", v.what, v.level, unit, v.rise, percent, v.allowed, word)
}

// warmUp is how much of a soak does not count: caches and pools fill, connections are opened.
func warmUp(total time.Duration) time.Duration { return min(5*time.Minute, total/3) }

// judge returns what became of each figure. It is flat if neither of two measures of its rise is more than allowed: that
// of the Theil–Sen line, the median of the slopes between all pairs of points, which a peak here and there does not bend;
// and the difference of the medians of the last third and the first, which shows a step.
func judge(samples []sample) []verdict {
	var total time.Duration
	if n := len(samples); n > 0 {
		total = samples[n-1].at
	}
	from := slices.IndexFunc(samples, func(s sample) bool { return s.at >= warmUp(total) })
	var verdicts []verdict
	for _, one := range allSeries {
		v := verdict{series: one, rise: math.Inf(1)}
		if bins := thin(samples[max(from, 0):], one.of); len(bins) >= 9 {
			levels := make([]float64, len(bins))
			for i, b := range bins {
				levels[i] = b.median
			}
			third := len(levels) / 3
			step := median(levels[len(levels)-third:]) - median(levels[:third])
			line := slope(bins) * (bins[len(bins)-1].at - bins[0].at).Minutes()
			v.level, v.rise = median(levels), max(step, line)
		}
		v.allowed = max(one.least, one.share*v.level)
		verdicts = append(verdicts, v)
	}
	return verdicts
}

// A bin is some samples after one another.
type bin struct {
	at                time.Duration
	low, median, high float64
}

// bins is how many a soak is thinned to.
const bins = 240

// thin returns a figure of all the samples in at most [bins] bins.
func thin(samples []sample, of func(sample) float64) []bin {
	size := (len(samples) + bins - 1) / bins
	var all []bin
	for chunk := range slices.Chunk(samples, max(size, 1)) {
		values := make([]float64, len(chunk))
		for i, s := range chunk {
			values[i] = of(s)
		}
		all = append(all, bin{chunk[len(chunk)/2].at, slices.Min(values), median(values), slices.Max(values)})
	}
	return all
}

// slope is that of the Theil–Sen line through the medians, per minute.
func slope(points []bin) float64 {
	var slopes []float64
	for i, p := range points {
		for _, q := range points[i+1:] {
			if minutes := (q.at - p.at).Minutes(); minutes > 0 {
				slopes = append(slopes, (q.median-p.median)/minutes)
			}
		}
	}
	return median(slopes)
}

// median is 0 of nothing.
func median[T cmp.Ordered](values []T) (m T) {
	if len(values) == 0 {
		return m
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
