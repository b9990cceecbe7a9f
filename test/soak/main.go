package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/dropship/dropship/test/servers"
)

type options struct {
	time     time.Duration // in which journeys begin
	every    time.Duration // a journey begins
	sample   time.Duration // between two samples
	services int
	seed     uint64
	binary   string
	dir      string
	table    string // file for the samples; empty: none
	picture  string // file for the picture; empty: none
	servers  servers.Set
	out      io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code, err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		code = cmp.Or(code, 2)
	}
	os.Exit(code)
}

// run returns the exit code: 1 if something grows, or went wrong.
func run(ctx context.Context) (int, error) {
	var o options
	flag.DurationVar(&o.time, "for", 30*time.Minute, "how long to go on")
	flag.DurationVar(&o.every, "every", time.Second, "how often something happens to a service")
	flag.IntVar(&o.services, "services", 20, "how many services the agent has, at least 10")
	flag.Uint64Var(&o.seed, "seed", rand.Uint64(), "what decides about everything random")
	flag.StringVar(&o.binary, "binary", "bin/dropship", "the dropship that soaks")
	flag.StringVar(&o.dir, "dir", "", "directory to work in, on a real disk (default: the system's for temporary files)")
	flag.StringVar(&o.table, "table", "bin/soak.tsv", "file for the samples")
	flag.StringVar(&o.picture, "picture", "bin/soak.svg", "file for the picture")
	flag.Parse()
	if flag.NArg() > 0 || o.services < 10 || o.time <= 0 || o.every <= 0 {
		return 0, errors.New("there is no such soak: -h tells which there are")
	}
	if _, err := exec.LookPath("gnuplot"); err != nil {
		return 0, fmt.Errorf("what draws the picture is not there; make soak installs it: %w", err)
	}
	var err error
	if o.servers, err = servers.Running(); err != nil {
		return 0, err
	}
	o.sample, o.out = time.Second, os.Stdout
	s, err := newSoak(ctx, o)
	if err != nil {
		return 0, err
	}
	if err := s.all(ctx); err != nil {
		return min(len(s.violations), 1), errors.Join(err, s.close())
	}
	if err := s.close(); err != nil {
		return 0, err
	}
	if err := writeTable(o.table, s.samples); err != nil {
		return 0, err
	}
	verdicts := judge(s.samples)
	if err := draw(ctx, o.picture, s.samples, s.title(), verdicts); err != nil {
		return 0, err
	}
	return s.report(verdicts), nil
}
