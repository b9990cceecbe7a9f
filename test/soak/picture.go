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
	title, unit string
	series      []int // of allSeries
}

var panels = []panel{
	{"memory", "MiB", []int{0, 1}},
	{"goroutines", "number", []int{2}},
	{"file descriptors", "number", []int{3}},
}

// colors are told apart by those who see none, too: one is dark, one light.
var colors = []string{"#1f5fa8", "#d98c2b"}

// draw has gnuplot draw the picture, an SVG.
func draw(ctx context.Context, path string, samples []sample, title string) error {
	cmd := exec.CommandContext(ctx, "gnuplot", "-")
	cmd.Stdin = strings.NewReader(script(samples, title))
	var picture, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &picture, &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("gnuplot cannot draw the picture: %w: %s", err, &stderr)
	}
	return os.WriteFile(path, picture.Bytes(), 0o644)
}

// script is what gnuplot is told.
func script(samples []sample, title string) string {
	var b strings.Builder
	end := samples[len(samples)-1].at
	for i, one := range allSeries {
		fmt.Fprintf(&b, "$series%d << EOD\n", i)
		for _, p := range thin(samples, one.of) {
			fmt.Fprintf(&b, "%.2f %.4g %.4g %.4g\n", p.at.Minutes(), p.low, p.median, p.high)
		}
		b.WriteString("EOD\n")
	}
	fmt.Fprintf(&b, `set terminal svg size 900,780 font "sans-serif,13" background rgb "white"
set multiplot layout %d,1 title %q font "sans-serif,13" margins 0.075,0.98,0.07,0.92 spacing 0.085
set style fill solid 0.2 noborder
set border 3 linecolor rgb "#555555"
set tics nomirror out textcolor rgb "#222222"
set grid linecolor rgb "#dddddd" linewidth 1 linetype 1
set xrange [0:%g]
set title offset 0,-0.6
`, len(panels), title, end.Minutes())
	for i, p := range panels {
		most := 0.0
		for _, n := range p.series {
			for _, s := range samples {
				most = math.Max(most, allSeries[n].of(s))
			}
		}
		fmt.Fprintf(&b, "set yrange [0:%.4g]\nset ylabel %q\nset title %q\n", most*1.15, p.unit, p.title)
		fmt.Fprintf(&b, "unset object\nunset label\nset object rectangle from 0,graph 0 to %.4g,graph 1 behind fillcolor rgb \"#f2f2f2\" fillstyle solid 1 noborder\n", warmUp(end).Minutes())
		if i == 0 {
			fmt.Fprintf(&b, "set label \"warm-up, not judged\" at %.4g,graph 0.94 center textcolor rgb \"#777777\" font \",11\"\n", warmUp(end).Minutes()/2)
		}
		if i == len(panels)-1 {
			b.WriteString("set xlabel \"minutes\"\n")
		}
		b.WriteString([]string{"unset key\n", "set key center right vertical samplen 2 textcolor rgb \"#222222\"\n"}[min(len(p.series)-1, 1)])
		var plots []string
		for c, n := range p.series {
			plots = append(plots,
				fmt.Sprintf("$series%d using 1:2:4 with filledcurves linecolor rgb %q notitle", n, colors[c]),
				fmt.Sprintf("$series%d using 1:3 with lines linewidth 1.6 linecolor rgb %q title %q", n, colors[c], allSeries[n].what))
		}
		fmt.Fprintf(&b, "plot %s\n", strings.Join(plots, ", "))
	}
	return b.String()
}
