package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"syscall"
	"time"

	"github.com/dropship/dropship/test/power"
	"github.com/dropship/dropship/test/servers"
	"github.com/dropship/dropship/test/torture/trap"
)

func main() {
	trap.ExecIfAsked()
	if err := power.Isolate(); err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code, err := torture(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		code = 2
	}
	os.Exit(code)
}

// torture returns the exit code: 1 if there was a violation.
func torture(ctx context.Context) (int, error) {
	var o options
	var only, write string
	flag.DurationVar(&o.time, "for", 11*time.Minute, "how long to go on, with at least one round of each cell")
	flag.IntVar(&o.rounds, "rounds", 0, "rounds of each cell, however long they take, in place of -for")
	flag.IntVar(&o.workers, "workers", 6, "rounds at once")
	flag.Uint64Var(&o.seed, "seed", rand.Uint64(), "what decides about everything random; a violation prints it")
	flag.StringVar(&only, "only", "", "regular expression of the cells to run, matched against \"FAULT/STEP\"")
	flag.IntVar(&o.number, "number", -1, "run this round of each cell, alone: to see a violation again")
	flag.StringVar(&write, "write", "", "file whose part between the two markers becomes the matrix")
	flag.StringVar(&o.binary, "binary", "bin/dropship", "the dropship under torture")
	flag.StringVar(&o.dir, "dir", "", "directory to work in, on a real disk (default: the system's for temporary files)")
	flag.Parse()
	pattern, err := regexp.Compile(only)
	if err != nil {
		return 0, fmt.Errorf("-only: %w", err)
	}
	if o.servers, err = servers.Running(); err != nil {
		return 0, err
	}
	o.out = os.Stdout
	run, err := newRun(o, faults(), pattern)
	if err != nil {
		return 0, err
	}
	run.all(ctx)
	run.print()
	if write != "" {
		if err := run.writeTo(ctx, write); err != nil {
			return 0, err
		}
	}
	if run.violations() > 0 {
		return 1, nil
	}
	return 0, ctx.Err()
}

// sorted returns the keys of a map in order.
func sorted[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
