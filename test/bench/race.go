package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// A contender is one way to do what a figure is about.
type contender struct {
	name    string
	prepare func(ctx context.Context) error // before each run, and not measured; nil: nothing
	run     func(ctx context.Context) (float64, error)
}

// timed is a contender that runs a program to its end.
func timed(name, program string, args ...string) contender {
	return contender{name: name, run: func(ctx context.Context) (float64, error) {
		u, err := command(ctx, "", program, args...)
		return u.wall.Seconds(), err
	}}
}

// A series is what one contender took, round by round.
type series []float64

// interleave lets the contenders take turns, A B C A B C …, and returns a series for each. A first round does not
// count, unless there is to be one alone.
func interleave(ctx context.Context, rounds int, contenders ...contender) ([]series, error) {
	all := make([]series, len(contenders))
	warmUp := min(rounds-1, 1)
	for round := range warmUp + rounds {
		for i, c := range contenders {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if c.prepare != nil {
				if err := c.prepare(ctx); err != nil {
					return nil, fmt.Errorf("cannot prepare %q: %w", c.name, err)
				}
			}
			took, err := c.run(ctx)
			if err != nil {
				return nil, fmt.Errorf("cannot run %q: %w", c.name, err)
			}
			if round >= warmUp {
				all[i] = append(all[i], took)
			}
		}
	}
	return all, nil
}

func (s series) median() float64 {
	sorted := slices.Sorted(slices.Values(s))
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// over is the median of the ratios of s to other in each round.
func (s series) over(other series) float64 {
	ratios := make(series, min(len(s), len(other)))
	for i := range ratios {
		ratios[i] = s[i] / other[i]
	}
	return ratios.median()
}

// seconds writes the median, and the least and the most, of a series of seconds: "2.41 s (2.30 to 2.95)".
func (s series) seconds() string {
	unit, name := 1.0, "s"
	if s.median() < 1 {
		unit, name = float64(time.Second/time.Millisecond), "ms"
	}
	return fmt.Sprintf("%s %s (%s to %s)", three(s.median()*unit), name, three(slices.Min(s)*unit), three(slices.Max(s)*unit))
}

// three writes three digits of a number, and all of a larger one.
func three(x float64) string {
	if x >= 1000 {
		return fmt.Sprintf("%.0f", x)
	}
	return fmt.Sprintf("%.3g", x)
}

// mebibytes is seconds for a series of bytes.
func (s series) mebibytes() string {
	return fmt.Sprintf("%.1f MiB (%.1f to %.1f)", s.median()/mebi, slices.Min(s)/mebi, slices.Max(s)/mebi)
}
