package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// idle is an agent that finds nothing to do.
var idle = figure{
	name:  "idle",
	title: "An idle agent",
	about: `One agent with 1,000 services of 10 seconds, all up to date: 100 checks a second. A proxy before the server counts
requests, bytes and connections; processor time and memory are the kernel's count. One sample is an interval; agents for
the three kinds of repository run side by side, and the alternatives between their samples: what a cron job does that
asks with ` + "`curl -I`" + `, a process and a connection for each check; and the request alone, as an agent makes them, ten each
tenth of a second, by a process that does nothing else.`,
	run: runIdle,
}

// A watched is an agent and what was seen of it, sample by sample.
type watched struct {
	*crowd
	*agent
	store                    string
	remove                   func() error
	alone                    *alone
	begin                    time.Time   // of the first sample
	begins                   []time.Time // of all
	cpuACheck, curls, alones series      // seconds
	resident                 series
	sent, fetched, conns     int64 // at the begin
}

func runIdle(ctx context.Context, b *bench) (rows []row, err error) {
	var all []*watched
	defer func() {
		for _, w := range all {
			err = errors.Join(err, w.stop(), w.alone.stop(), w.remove())
		}
	}()
	for _, store := range []string{"S3", "Swift", "HTTP"} {
		c, remove, err := b.crowd(ctx, store)
		if err != nil {
			return nil, err
		}
		a, err := startAgent(ctx, c.binary, c.config())
		if err != nil {
			return nil, errors.Join(err, remove())
		}
		p, err := c.asking().start(ctx)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("cannot start a process that asks: %w", err), a.stop(), remove())
		}
		all = append(all, &watched{crowd: c, agent: a, store: store, remove: remove, alone: p})
	}
	// The start is over then, and so is what it needed of memory.
	interval := all[0].interval
	if err := pause(ctx, 3*interval); err != nil {
		return nil, err
	}
	for _, w := range all {
		if _, err := w.alone.ask(); err != nil { // over new connections
			return nil, err
		}
	}
	for _, w := range all {
		w.begin, w.sent, w.fetched, w.conns = time.Now(), w.meter.sent.Load(), w.meter.fetched.Load(), w.meter.conns.Load()
	}
	for round := range b.rounds {
		b.logf("interval %d of %d", round+1, b.rounds)
		if err := sample(ctx, all, interval); err != nil {
			return nil, err
		}
	}
	for _, w := range all {
		rows = append(rows, w.rows(b)...)
	}
	return rows, nil
}

// sample watches all agents for one interval, and has curl ask for the same as they do, one by one.
func sample(ctx context.Context, all []*watched, interval time.Duration) error {
	begin := time.Now()
	cpus := make([]time.Duration, len(all))
	for i, w := range all {
		var err error
		if cpus[i], err = w.cpu(); err != nil {
			return err
		}
		w.begins = append(w.begins, begin)
	}
	if err := pause(ctx, interval); err != nil {
		return err
	}
	for i, w := range all {
		cpu, err := w.cpu()
		if err != nil {
			return err
		}
		memory, err := w.memory()
		if err != nil {
			return err
		}
		w.resident = append(w.resident, memory)
		w.cpuACheck = append(w.cpuACheck, (cpu-cpus[i]).Seconds()/float64(max(1, len(w.meter.since(begin)))))
	}
	for _, w := range all {
		took, err := w.curl(ctx)
		if err != nil {
			return err
		}
		w.curls = append(w.curls, took)
		if took, err = w.alone.ask(); err != nil {
			return err
		}
		w.alones = append(w.alones, took)
	}
	return nil
}

// asking is what is asked of the store alone for one sample.
func (c *crowd) asking() asking {
	a := c.at.ask
	a.Keys, a.Beat = c.keys()[:min(len(c.names), 200)], c.interval/100
	return a
}

// atOnce is how many checks an agent has under way at one host; the others wait for their turn.
const atOnce = 32

// curled are how many checks curl makes for one sample.
const curled = 20

// curl returns how long a check by curl computes, in seconds. It goes past the meter, which counts the agent's alone.
func (w *watched) curl(ctx context.Context) (float64, error) {
	var lines []string
	for _, key := range w.keys()[:curled] {
		line := []string{"curl", "-sSfI", "-o", "/dev/null"}
		for _, arg := range w.at.curl(w.at.server, key) {
			line = append(line, "'"+arg+"'")
		}
		lines = append(lines, strings.Join(line, " "))
	}
	u, err := shell(ctx, w.dir, strings.Join(lines, "\n"))
	return u.cpu.Seconds() / curled, err
}

func (w *watched) rows(b *bench) []row {
	requests := w.meter.since(w.begin)
	checks := float64(max(1, len(requests)))
	opened := w.meter.conns.Load() - w.conns
	gaps := gapsOf(requests)
	// While the alternatives run the server has more to do than the agent alone would give it.
	sampled := during(requests, w.begins, w.interval)
	most, least := spread(sampled, w.begins, w.interval)
	share := len(w.names) / 10
	memory := slices.Max(w.resident) / mebi
	took := answers(sampled)
	percent := func(aCheck series) float64 {
		return 100 * aCheck.median() * float64(len(w.names)) / w.interval.Seconds()
	}
	return []row{
		{
			what: w.store + ": CPU a check", ours: w.cpuACheck.seconds(),
			against: "curl -I", theirs: w.curls.seconds(), ratio: w.cpuACheck.over(w.curls),
			goal: "≤ 0.5 ms", met: w.cpuACheck.median() <= 0.5e-3,
			note: fmt.Sprintf("%s: %.1f %% of one core; %s, as often, %.1f %%", w.store, percent(w.cpuACheck), w.alone.by(), percent(w.alones)),
		},
		{
			what: w.store + ": CPU a check", ours: w.cpuACheck.seconds(),
			against: w.alone.by(), theirs: w.alones.seconds(), ratio: w.cpuACheck.over(w.alones),
		},
		{what: w.store + ": memory", ours: w.resident.mebibytes(), goal: "≤ 64 MiB", met: memory <= 64 || b.quick},
		{
			what: w.store + ": a check", ours: fmt.Sprintf("%.0f + %.0f bytes", float64(w.meter.sent.Load()-w.sent)/checks, float64(w.meter.fetched.Load()-w.fetched)/checks),
			goal: "one request",
			// A second one would come right after the first.
			met: gaps.least >= 0.9*w.interval.Seconds()-0.05,
			note: fmt.Sprintf("%s: %d requests for %d services, %.2f s to %.2f s between two for the same one",
				w.store, len(requests), len(w.names), gaps.least, gaps.most),
		},
		{
			what: w.store + ": connections", ours: fmt.Sprintf("%d opened, %d open", opened, w.meter.open.Load()),
			against: "curl -I", theirs: fmt.Sprintf("%.0f opened", checks), ratio: float64(opened) / checks,
			ratioGoal: "≤ 0.01", met: float64(opened)/checks <= 0.01,
		},
		{
			what: w.store + ": checks in a tenth of the interval", ours: fmt.Sprintf("%d to %d", least, most),
			goal: fmt.Sprintf("≤ %d", share*3/2), met: most <= share*3/2 || b.quick,
			note: fmt.Sprintf("%s: the fair share is %d; by chance it is off by %.0f two times of three. The server began its answer after %s, and %d requests were with it at once at most, of %d that an agent makes",
				w.store, share, standardDeviation(len(w.names)), took.seconds(), underWay(sampled), atOnce),
		},
	}
}
