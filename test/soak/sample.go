package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A sample is how things are at one moment.
type sample struct {
	at         time.Duration // since the beginning
	rss        float64       // MiB
	heap       float64       // MiB in use
	goroutines float64
	fds        float64
	files      float64 // in the state directory, without the history
	history    float64 // files of the history
	size       float64 // MiB of the state directory
	kept       float64 // releases beside the destinations
	cpu        time.Duration
	published  int64 // releases, up to now
	rolledBack int64
}

// A series is one figure of the samples, and how far it may rise over a soak and still be flat: so much of its level, or
// so much, whichever is more.
type series struct {
	what  string
	unit  string
	of    func(sample) float64
	share float64
	least float64
}

// An idle connection is a file descriptor and two goroutines, and how many there are depends on which requests met: the
// floor moves by three or four. A leak on any journey is many times that, since each is made dozens of times.
var allSeries = []series{
	{"resident memory", "MiB", func(s sample) float64 { return s.rss }, 0.05, 2},
	{"heap in use", "MiB", func(s sample) float64 { return s.heap }, 0.05, 2},
	{"goroutines", "", func(s sample) float64 { return s.goroutines }, 0.05, 6},
	{"file descriptors", "", func(s sample) float64 { return s.fds }, 0.05, 4},
	{"state files", "", func(s sample) float64 { return s.files }, 0, 2},
}

// watchSamples takes samples until ctx ends.
func (s *soak) watchSamples(ctx context.Context) error {
	tick := time.NewTicker(s.sample)
	defer tick.Stop()
	var last sample
	for n := 0; ; n++ {
		next, err := s.take(context.WithoutCancel(ctx), last, n%10 == 0) // a scrape that is cut is one that the agent warns of
		if err != nil {
			return fmt.Errorf("cannot take a sample: %w", err)
		}
		s.samples, last = append(s.samples, next), next
		if n%10 == 0 {
			for _, link := range s.links {
				link.Forget() // else the proxies keep all requests
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// take takes a sample; what is on disk is looked at now and then.
func (s *soak) take(ctx context.Context, last sample, disk bool) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	next := last
	next.at, next.published, next.rolledBack = time.Since(s.begin), s.published.Load(), s.rolledBack.Load()
	pid := s.agent.pid()
	rss, err := rssOf(pid)
	if err != nil {
		return next, err
	}
	next.rss = rss
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return next, err
	}
	next.fds = float64(len(entries))
	values, err := scrape(ctx, s.metrics, "go_goroutines", "go_memstats_heap_inuse_bytes", "process_cpu_seconds_total")
	if err != nil {
		return next, err
	}
	next.goroutines, next.heap = values[0], values[1]/(1<<20)
	next.cpu = time.Duration(values[2] * float64(time.Second))
	if disk {
		err = s.takeDisk(&next)
	}
	return next, err
}

// rssOf returns the resident memory of a process in MiB.
func rssOf(pid int) (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kib / 1024, err
		}
	}
	return 0, fmt.Errorf("process %d says nothing of its memory: it has ended", pid)
}

// scrape returns the values of some metrics without labels, as Prometheus gets them.
func scrape(ctx context.Context, address string, names ...string) ([]float64, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", http.NoBody)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	values, found := make([]float64, len(names)), 0
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		for i, name := range names {
			if rest, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
				if values[i], err = strconv.ParseFloat(rest, 64); err != nil {
					return nil, fmt.Errorf("metric %s: %w", name, err)
				}
				found++
			}
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if found != len(names) {
		return nil, fmt.Errorf("the agent exports %d of %q", found, names)
	}
	return values, nil
}

// takeDisk counts what is on disk. What is renamed or removed meanwhile counts or does not.
func (s *soak) takeDisk(next *sample) error {
	next.files, next.history, next.size, next.kept = 0, 0, 0, 0
	err := filepath.WalkDir(s.state(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return ignoreMissing(err)
		}
		info, err := d.Info()
		if err != nil {
			return ignoreMissing(err)
		}
		next.size += float64(info.Size()) / (1 << 20)
		if strings.HasPrefix(path, filepath.Join(s.state(), "history")+"/") {
			next.history++
		} else {
			next.files++
		}
		return nil
	})
	kept, kerr := filepath.Glob(filepath.Join(s.dir, "srv", ".*.dropship", "*", "release.json"))
	next.kept = float64(len(kept))
	return cmp.Or(err, kerr)
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
