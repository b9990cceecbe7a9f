package main

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// history returns samples of half an hour, one a second, of a process that stays as it is but for noise.
func history() []sample {
	random := rand.New(rand.NewPCG(1, 2))
	all := make([]sample, 1800)
	for i := range all {
		all[i] = sample{
			at:  time.Duration(i) * time.Second,
			rss: 40 + 2*random.Float64(), heap: 6 + 4*float64(i%37)/37, // a saw, as garbage makes it
			goroutines: 70 + float64(random.IntN(12)), fds: 28 + float64(random.IntN(6)), files: 90,
		}
	}
	return all
}

// grown returns the names of what is not flat.
func grown(samples []sample) string {
	var names []string
	for _, v := range judge(samples) {
		if !v.flat() {
			names = append(names, v.what)
		}
	}
	return strings.Join(names, ", ")
}

func TestJudge(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		change func(i int, s *sample)
		want   string
	}{
		{"nothing", func(int, *sample) {}, ""},
		{"a warm-up", func(i int, s *sample) {
			if i < 250 {
				s.rss, s.heap, s.goroutines, s.fds, s.files = 15, 1, 10, 5, 0
			}
		}, ""},
		{"peaks", func(i int, s *sample) {
			if i%60 < 5 || i > 1790 {
				s.rss, s.goroutines, s.fds, s.files = s.rss+50, s.goroutines*5, s.fds*5, s.files+3
			}
		}, ""},
		{"a machine that gets busy", func(i int, s *sample) {
			if i > 900 && i%20 > 2 {
				s.fds, s.goroutines, s.rss = s.fds+20, s.goroutines+15, s.rss+4
			}
		}, ""},
		{"what gets less", func(i int, s *sample) { s.rss -= float64(i) / 100 }, ""},
		{"a goroutine that is left every two minutes", func(i int, s *sample) { s.goroutines += float64(i / 120) }, "goroutines"},
		{"a file that is left open every three minutes", func(i int, s *sample) { s.fds += float64(i / 180) }, "file descriptors"},
		{"a hundred KiB a minute", func(i int, s *sample) { s.rss += float64(i) / 600; s.heap += float64(i) / 600 }, "resident memory, heap in use"},
		{"a step near the end", func(i int, s *sample) {
			if i > 1340 {
				s.fds += 5
			}
		}, "file descriptors"},
		{"connections that come and go again", func(i int, s *sample) {
			if i > 1340 && i < 1640 {
				s.fds += 5
			}
		}, ""},
		{"a file that is left on disk every ten minutes", func(i int, s *sample) { s.files += float64(i / 400) }, "state files"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			samples := history()
			for i := range samples {
				tt.change(i, &samples[i])
			}
			if got := grown(samples); got != tt.want {
				t.Errorf("what grows is %q, want %q", got, tt.want)
			}
		})
	}
}

func TestJudgeWantsEnough(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]int{0: 0, 1: 0, 599: 0, 601: len(allSeries)} {
		if got := len(judge(history()[:n])); got != want {
			t.Errorf("of %d seconds %d figures are judged, want %d", n, got, want)
		}
	}
}

func TestPictureShowsAllOfIt(t *testing.T) {
	t.Parallel()
	samples := history()
	samples[1234].goroutines = 250 // thinned out, it would not be seen
	text := script(samples, "a title", judge(samples))
	blocks := strings.Split(text, "EOD\n")
	for i, one := range allSeries {
		points := strings.Count(blocks[2*i+1], "\n")
		if points < bins/2 || points > bins {
			t.Errorf("%s has %d points, want at most %d, and not far fewer", one.what, points, bins)
		}
	}
	for _, want := range []string{`title "a title"`, " 250\n", "set xrange [0:29.9", "set yrange [0:52", "set yrange [0:312.5]", `"memory, MiB"`, `set xlabel "minutes (`, `background rgb "white"`, `"goroutines: 76.0, rise `} {
		if !strings.Contains(text, want) {
			t.Errorf("gnuplot is not told %q", want)
		}
	}
	if n := strings.Count(text, "\nplot "); n != 3 {
		t.Errorf("%d panels, want 3", n)
	}
}
