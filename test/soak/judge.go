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

// floors is into how many parts the time after the warm-up is cut to be judged. In half an hour each is longer than an
// idle connection stays open.
const floors = 10

// judge returns what became of each figure; nothing, if there was no more of the soak than twice the warm-up.
//
// What is judged is the least that each part of that time saw, since a leak raises the floor, and a machine that is busy
// with something else only what is above it. A figure is flat if neither of two measures of its rise is more than allowed:
// that of the Theil–Sen line, the median of the slopes between all pairs of points, which no single one bends; and the
// difference between the least of the last third and of the first, which shows a step.
func judge(samples []sample) (verdicts []verdict) {
	from := slices.IndexFunc(samples, func(s sample) bool { return s.at >= warmUp })
	if from < 0 || samples[len(samples)-1].at < 2*warmUp {
		return nil
	}
	for _, one := range allSeries {
		points := thin(samples[from:], one.of, floors)
		lows, medians := make([]float64, len(points)), make([]float64, len(points))
		for i, b := range points {
			lows[i], medians[i] = b.low, b.median
		}
		third := len(lows) / 3
		step := slices.Min(lows[len(lows)-third:]) - slices.Min(lows[:third])
		line := slope(points) * (points[len(points)-1].at - points[0].at).Minutes()
		level := median(medians)
		verdicts = append(verdicts, verdict{one, level, max(step, line), max(one.least, one.share*level)})
	}
	return verdicts
}

// A bin is some samples after one another.
type bin struct {
	at                time.Duration
	low, median, high float64
}

// thin returns a figure of all the samples, in so many bins at most.
func thin(samples []sample, of func(sample) float64, most int) []bin {
	size := (len(samples) + most - 1) / most
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

// slope is that of the Theil–Sen line through the least of each bin, per minute.
func slope(points []bin) float64 {
	var slopes []float64
	for i, p := range points {
		for _, q := range points[i+1:] {
			if minutes := (q.at - p.at).Minutes(); minutes > 0 {
				slopes = append(slopes, (q.low-p.low)/minutes)
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
