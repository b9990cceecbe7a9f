package main

import (
	"cmp"
	"fmt"
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
	return fmt.Sprintf("%-16s  %6.1f %-3s  %+6.1f  of at most %+.1f  %s", v.what, v.level, v.unit, v.rise, v.allowed, word)
}

// warmUp does not count: caches and histories fill, idle connections become as many as they may, for a minute and a half
// after they were used.
const warmUp = 5 * time.Minute

// judge returns what became of each figure; nothing, if there was no more of the soak than twice the warm-up. A figure is
// flat if neither of two measures of its rise is more than allowed: that of the Theil–Sen line, the median of the slopes
// between all pairs of points, which a peak here and there does not bend; and the difference of the medians of the last
// third and the first, which shows a step.
func judge(samples []sample) (verdicts []verdict) {
	from := slices.IndexFunc(samples, func(s sample) bool { return s.at >= warmUp })
	if from < 0 || samples[len(samples)-1].at < 2*warmUp {
		return nil
	}
	for _, one := range allSeries {
		points := thin(samples[from:], one.of)
		levels := make([]float64, len(points))
		for i, b := range points {
			levels[i] = b.median
		}
		third := len(levels) / 3
		step := median(levels[len(levels)-third:]) - median(levels[:third])
		line := slope(points) * (points[len(points)-1].at - points[0].at).Minutes()
		level := median(levels)
		verdicts = append(verdicts, verdict{one, level, max(step, line), max(one.least, one.share*level)})
	}
	return verdicts
}

// A bin is some samples after one another.
type bin struct {
	at                time.Duration
	low, median, high float64
}

// bins is how many a soak is thinned to.
const bins = 200

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
