package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	// historyLimit is how many updates of a service the agent remembers.
	historyLimit = 50
	// keptLimit is how many releases of a service are on disk: the live one, and keepReleases by default.
	keptLimit = 4
)

// bounded checks that nothing is left on disk, and that no more is kept than is promised.
func (s *soak) bounded() error {
	var errs []error
	count := func(most int, elements ...string) {
		pattern := filepath.Join(elements...)
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) > most {
			errs = append(errs, fmt.Errorf("%d files are %s, not at most %d: %w", len(found), pattern, most, cmp.Or(err, errors.New("too many"))))
		}
	}
	for _, v := range s.services {
		beside := filepath.Join(s.dir, "srv", "."+v.name+".dropship")
		count(historyLimit, s.state(), "history", v.name, "*")
		count(keptLimit, beside, "*", "release.json")
		count(0, beside, "stage-*")
		count(0, beside, "trash-*")
	}
	count(0, s.state(), "*.new")
	count(0, s.state(), "paused", "*")
	return errors.Join(errs...)
}

// title tells what was done.
func (s *soak) title() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("%d services, each checked every 100 ms; %d releases published, %d rolled back, %d reloads, %d network cuts, %d pauses",
		len(s.services), s.published.Load(), s.rolledBack.Load(), s.journeys["reload"], s.journeys["cut"], s.journeys["pause"])
}

// report prints what came of it, and returns the exit code.
func (s *soak) report(verdicts []verdict) int {
	last := s.samples[len(s.samples)-1]
	fmt.Fprintf(s.out, "\n%s in %s\n", s.title(), last.at.Round(time.Second))
	fmt.Fprintf(s.out, "journeys: %s\nvisits: %s; %d events and %d webhooks received\n", counts(s.journeys), counts(s.visits), s.told.Load(), s.web.webhooks.Load())
	fmt.Fprintf(s.out, "on disk: %.0f of at most %d files of history, %.0f of at most %d releases, %.1f MiB of state\n",
		last.history, historyLimit*len(s.services), last.kept, keptLimit*len(s.services), last.size)
	self, children := cpu()
	share := func(d time.Duration) float64 { return 100 * d.Seconds() / last.at.Seconds() }
	fmt.Fprintf(s.out, "load: %.0f %% of a core is the agent's, %.0f %% that of its hooks and the commands, %.0f %% the soak's own\n\n",
		share(last.cpu), share(children-last.cpu), share(self))
	code := 0
	if len(verdicts) == 0 {
		fmt.Fprintf(s.out, "nothing is judged: a soak shorter than %s has no time after its warm-up\n", 2*warmUp)
	} else {
		fmt.Fprintf(s.out, "%-16s  %-10s  %6s\n", fmt.Sprintf("after %s:", warmUp), "    level", "rise")
	}
	for _, v := range verdicts {
		fmt.Fprintln(s.out, v)
		if !v.flat() {
			code = 1
		}
	}
	if len(s.violations) > 0 {
		fmt.Fprintf(s.out, "%d violations; the agent's log is %s\n", len(s.violations), filepath.Join(s.dir, "agent.log"))
		code = 1
	}
	return code
}

func counts(of map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(of)) {
		parts = append(parts, fmt.Sprintf("%d %s", of[name], name))
	}
	return strings.Join(parts, ", ")
}

// cpu is the CPU time of this program, and of those that it ran, the agent and its hooks among them.
func cpu() (self, children time.Duration) {
	of := func(who int) time.Duration {
		var u syscall.Rusage
		_ = syscall.Getrusage(who, &u) // it knows both
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return of(syscall.RUSAGE_SELF), of(syscall.RUSAGE_CHILDREN)
}

// writeTable writes the samples as a table that spreadsheets read.
func writeTable(path string, samples []sample) error {
	var b strings.Builder
	b.WriteString("seconds\trss_mib\theap_mib\tgoroutines\tfds\tstate_files\thistory_files\tstate_mib\treleases\tcpu_seconds\tpublished\trolled_back\n")
	for _, s := range samples {
		fmt.Fprintf(&b, "%.1f\t%.2f\t%.2f\t%.0f\t%.0f\t%.0f\t%.0f\t%.2f\t%.0f\t%.1f\t%d\t%d\n",
			s.at.Seconds(), s.rss, s.heap, s.goroutines, s.fds, s.files, s.history, s.size, s.kept, s.cpu.Seconds(), s.published, s.rolledBack)
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}
