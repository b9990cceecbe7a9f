package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/dropship/dropship/test/servers"
)

type options struct {
	time    time.Duration
	rounds  int // of each cell, in place of time
	number  int // the only one to run; -1: all
	workers int
	seed    uint64
	binary  string
	dir     string
	servers servers.Set
	out     io.Writer
}

// A cell is a fault at a step, and what came of its rounds.
type cell struct {
	fault Fault
	step  string

	rounds int
	begun  int
	took   time.Duration
	seen   map[Seen]int
	errs   []string
}

// spent is the time that the cell has had, of its share.
func (c *cell) spent() time.Duration { return c.took / time.Duration(max(1, c.fault.Share)) }

// A run is all rounds of one call of torture.
type run struct {
	options
	dirs  string // where rounds have their directories
	begin time.Time

	mu    sync.Mutex
	cells []*cell
}

func newRun(o options, rows []Fault, only *regexp.Regexp) (*run, error) {
	r := &run{options: o}
	var err error
	if r.binary, err = filepath.Abs(o.binary); err != nil {
		return nil, err
	}
	if _, err := os.Stat(r.binary); err != nil {
		return nil, fmt.Errorf("the dropship under torture is not there; build it with make: %w", err)
	}
	for _, fault := range rows {
		for _, step := range Steps {
			for _, at := range fault.Steps {
				if at == step && only.MatchString(fault.Name+"/"+step) {
					r.cells = append(r.cells, &cell{fault: fault, step: step, seen: make(map[Seen]int)})
				}
			}
		}
	}
	if len(r.cells) == 0 {
		return nil, errors.New("no fault and step is like that")
	}
	return r, nil
}

// all runs rounds until time is up, first those that no other may disturb.
func (r *run) all(ctx context.Context) {
	r.begin = time.Now()
	var err error
	if r.dirs, err = os.MkdirTemp(r.dir, "dropship-torture-"); err != nil {
		r.cells[0].errs = append(r.cells[0].errs, err.Error())
		return
	}
	defer func() { _ = os.Remove(r.dirs) }() // what a violation left stays
	fmt.Fprintf(r.out, "torturing %d cells, seed %d\n", len(r.cells), r.seed)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { r.tell(ctx) })

	var alone, together []*cell
	for _, c := range r.cells {
		if c.fault.Alone {
			alone = append(alone, c)
		} else {
			together = append(together, c)
		}
	}
	share := time.Duration(int64(r.time) * int64(len(alone)) / int64(len(r.cells)))
	r.work(ctx, alone, 1, r.begin.Add(share))
	r.work(ctx, together, r.workers, r.begin.Add(r.time))
	cancel()
	wg.Wait()
}

// work runs rounds of some cells, so many at once.
func (r *run) work(ctx context.Context, cells []*cell, workers int, until time.Time) {
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for ctx.Err() == nil {
				c, number := r.next(cells, until)
				if c == nil {
					return
				}
				r.round(ctx, c, number)
			}
		})
	}
	wg.Wait()
}

// next returns the round that is next: of the cell on which the least time was spent, so that each has its share.
func (r *run) next(cells []*cell, until time.Time) (*cell, int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var least *cell
	for _, c := range cells {
		switch {
		case r.number >= 0 && c.begun > 0, r.number < 0 && r.rounds > 0 && c.begun >= r.rounds:
			continue
		case least == nil, c.begun == 0 && least.begun > 0, (c.begun == 0) == (least.begun == 0) && c.spent() < least.spent():
			least = c
		}
	}
	if least == nil || r.rounds == 0 && r.number < 0 && least.begun > 0 && time.Now().After(until) {
		return nil, 0
	}
	number := least.begun
	least.begun++
	// As if this one took as long as the others: nobody else begins another of this cell because it looks idle.
	least.took += least.took / time.Duration(least.begun)
	if r.number >= 0 {
		number = r.number
	}
	return least, number
}

// roundLimit is how long a round may take: far longer than any should, on a busy machine.
const roundLimit = 3 * time.Minute

// round runs one round, in a directory of its own, which stays if it was a violation.
func (r *run) round(ctx context.Context, c *cell, number int) {
	name := fmt.Sprintf("%s-%s-%d", strings.Map(plainName, c.fault.Name), c.step, number)
	dir := filepath.Join(r.dirs, name)
	var log bytes.Buffer
	h := fnv.New64a()
	fmt.Fprint(h, name)
	begin := time.Now()
	seen, err := Seen(""), os.Mkdir(dir, 0o755)
	if err == nil {
		limited, cancel := context.WithTimeoutCause(ctx, roundLimit, fmt.Errorf("the round takes longer than %s", roundLimit))
		defer cancel()
		seen, err = c.fault.Round(limited, &Round{
			Step: c.step, Number: number, Rand: rand.New(rand.NewPCG(r.seed, h.Sum64())), Dir: dir,
			Servers: r.servers, Binary: r.binary, Log: &log,
		})
	}
	if err == nil {
		err = os.RemoveAll(dir)
	}
	took := time.Since(begin)

	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil && ctx.Err() != nil {
		_ = os.RemoveAll(dir) // who ended the run ended the round
		return
	}
	c.rounds++
	c.took += (took - c.took/time.Duration(max(c.begun, 1))) // in place of the guess in next
	c.took = max(c.took, took)
	if err != nil {
		text := fmt.Sprintf("VIOLATION: %s, at step %s, round %d, seed %d\n  directory: %s\n  again: -only '^%s/%s$' -number %d -seed %d\n%s\n%s",
			c.fault.Name, c.step, number, r.seed, dir, regexp.QuoteMeta(c.fault.Name), c.step, number, r.seed, indent(err.Error()), indent(log.String()))
		c.errs = append(c.errs, text)
		fmt.Fprintln(r.out, text)
		return
	}
	c.seen[seen]++
}

// tell prints now and then how far it is.
func (r *run) tell(ctx context.Context) {
	tick := time.NewTicker(15 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			fmt.Fprintf(r.out, "%6s  %d rounds, %d violations\n", time.Since(r.begin).Round(time.Second), r.count(func(*cell) bool { return true }), r.violations())
		}
	}
}

func (r *run) count(of func(*cell) bool) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.cells {
		if of(c) {
			n += c.rounds
		}
	}
	return n
}

func (r *run) violations() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.cells {
		n += len(c.errs)
	}
	return n
}

// plainName keeps what may stand in a file's name without quotes.
func plainName(c rune) rune {
	if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' {
		return c
	}
	return '_'
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n    ")
}
