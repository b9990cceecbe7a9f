package main

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strings"
)

// A panel is one of the picture's, with some of the series.
type panel struct {
	title  string
	series []int // of allSeries
}

var panels = []panel{{"memory, MiB", []int{0, 1}}, {"goroutines", []int{2}}, {"file descriptors", []int{3}}}

// bins is how many points a line has.
const bins = 200

// colors are told apart by those who see none, too: one is dark, one light.
var colors = []string{"#1f5fa8", "#d9822b"}

// draw has gnuplot draw the picture, an SVG.
func draw(ctx context.Context, path string, samples []sample, title string, verdicts []verdict) error {
	cmd := exec.CommandContext(ctx, "gnuplot", "-")
	cmd.Stdin = strings.NewReader(script(samples, title, verdicts))
	var picture, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &picture, &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("gnuplot cannot draw the picture: %w: %s", err, &stderr)
	}
	return os.WriteFile(path, picture.Bytes(), 0o644)
}

// script is what gnuplot is told. Of each series it shows the median of some samples after one another, as a line, and
// the least and the most of them, as what is around it.
func script(samples []sample, title string, verdicts []verdict) string {
	var b strings.Builder
	tell := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	for i, one := range allSeries {
		tell("$series%d << EOD", i)
		for _, p := range thin(samples, one.of, bins) {
			tell("%.2f %.4g %.4g %.4g", p.at.Minutes(), p.low, p.median, p.high)
		}
		tell("EOD")
	}
	tell(`set terminal svg size 900,720 font "sans-serif,13" background rgb "white"`)
	tell(`set multiplot layout %d,1 title %q font "sans-serif,13" margins 0.08,0.98,0.085,0.93 spacing 0.045`, len(panels), title)
	tell(`set style fill solid 0.2 noborder
set border 3 linecolor rgb "#555555"
set tics nomirror out scale 0.6 textcolor rgb "#222222"
set xtics offset 0,0.3
set grid linecolor rgb "#dddddd" linewidth 1 linetype 1
unset key
set format x ""`)
	end := samples[len(samples)-1].at.Minutes()
	warm := min(warmUp.Minutes(), end)
	tell("set xrange [0:%.4g]", end)
	for i, p := range panels {
		if i == len(panels)-1 {
			tell(`set format x "%%g"` + "\n" + `set xlabel "minutes (checks every 100 ms in place of 10 s: each stands for 100)" offset 0,0.3`)
		}
		tell("unset object\nunset label")
		tell(`set object rectangle from 0,graph 0 to %.4g,graph 1 behind fillcolor rgb "#f2f2f2" fillstyle solid 1 noborder`, warm)
		tell(`set label "warm-up" at %.4g,graph 0.06 center textcolor rgb "#777777" font ",11"`, warm/2)
		most := 0.0
		var plots []string
		for c, n := range p.series {
			one := allSeries[n]
			for _, s := range samples {
				most = math.Max(most, one.of(s))
			}
			plots = append(plots,
				fmt.Sprintf("$series%d using 1:2:4 with filledcurves linecolor rgb %q", n, colors[c]),
				fmt.Sprintf("$series%d using 1:3 with lines linewidth 1.6 linecolor rgb %q", n, colors[c]))
			text := one.what
			if len(verdicts) > 0 {
				text = strings.TrimSpace(fmt.Sprintf("%s: %.1f %s", text, verdicts[n].level, one.unit)) + fmt.Sprintf(", rise %+.1f", verdicts[n].rise)
			}
			height := "graph 0.93"
			if c > 0 {
				points := thin(samples, one.of, bins)
				height = fmt.Sprintf("first %.4g offset 0,1.2", points[len(points)-1].high)
			}
			tell("set label %q at graph 0.99,%s right textcolor rgb %q front", text, height, colors[c])
		}
		tell("set yrange [0:%.4g]\nset ylabel %q offset 0.5", most*1.25, p.title)
		tell("plot %s", strings.Join(plots, ", "))
	}
	return b.String()
}
