package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/dropship/dropship/test/servers"
)

func main() {
	if asker() {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
	switch {
	case errors.Is(err, errMissed):
		os.Exit(1)
	case err != nil:
		os.Exit(2)
	}
}

// errMissed means that all was measured, and not all goals are met.
var errMissed = errors.New("not every goal is met: the notes below the tables say why")

type options struct {
	rounds   int
	quick    bool
	dropship string
	dir      string
	write    string
}

func run(ctx context.Context) error {
	var o options
	flag.IntVar(&o.rounds, "rounds", 5, "counted rounds of each contender")
	flag.BoolVar(&o.quick, "quick", false, "small sizes and one round, to see that it works: the figures mean nothing")
	flag.StringVar(&o.dropship, "binary", "bin/dropship", "the dropship to measure")
	flag.StringVar(&o.dir, "dir", "", "directory to work in, on a real disk (default: the system's for temporary files)")
	flag.StringVar(&o.write, "write", "", "document whose tables are replaced by what is measured")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: bench [flags] [figure…]\n\nFigures:\n")
		for _, f := range figures {
			fmt.Fprintf(flag.CommandLine.Output(), "  %-10s %s\n", f.name, f.title)
		}
		fmt.Fprintln(flag.CommandLine.Output(), "\nFlags:")
		flag.PrintDefaults()
	}
	flag.Parse()
	chosen, err := choose(flag.Args())
	if err != nil {
		return err
	}
	if o.rounds < 1 {
		return fmt.Errorf("-rounds is %d: there is at least one", o.rounds)
	}
	if o.write != "" {
		if err := findPlaces(o.write, chosen); err != nil { // before half an hour goes by
			return err
		}
	}
	set, err := servers.Running()
	if err != nil {
		return err
	}
	if o.dropship, err = filepath.Abs(o.dropship); err != nil {
		return fmt.Errorf("cannot find dropship: %w", err)
	}
	machine, err := describe(ctx, o.dropship, set)
	if err != nil {
		return err
	}
	fmt.Print(machine)
	if o.write != "" {
		if err := splice(o.write, "machine", machine); err != nil {
			return err
		}
	}
	missed := false
	for _, f := range chosen {
		text, met, err := measure(ctx, o, set, f)
		if err != nil {
			return fmt.Errorf("cannot measure %s: %w", f.name, err)
		}
		missed = missed || !met
		fmt.Printf("\n## %s\n\n%s", f.title, text)
		if o.write != "" {
			if err := splice(o.write, f.name, text); err != nil {
				return err
			}
		}
	}
	if missed && !o.quick {
		return errMissed
	}
	return nil
}

// choose returns the figures of those names, in the order of all, or all if there is no name.
func choose(names []string) ([]figure, error) {
	for _, name := range names {
		if !slices.ContainsFunc(figures, func(f figure) bool { return f.name == name }) {
			return nil, fmt.Errorf("there is no figure %q: see bench -h (flags come before figures)", name)
		}
	}
	var chosen []figure
	for _, f := range figures {
		if len(names) == 0 || slices.Contains(names, f.name) {
			chosen = append(chosen, f)
		}
	}
	return chosen, nil
}

// measure takes one figure, in a directory that is removed at the end.
func measure(ctx context.Context, o options, set servers.Set, f figure) (text string, met bool, err error) {
	dir, err := os.MkdirTemp(o.dir, "dropship-bench-")
	if err != nil {
		return "", false, fmt.Errorf("cannot make a directory to work in: %w", err)
	}
	b := &bench{set: set, dropship: o.dropship, dir: dir, rounds: o.rounds, quick: o.quick}
	if b.quick {
		b.rounds = 1
	}
	start := time.Now()
	b.logf = func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, "%s %4.0fs  %s\n", f.name, time.Since(start).Seconds(), fmt.Sprintf(format, args...))
	}
	rows, err := f.run(ctx, b)
	err = errors.Join(err, b.cleanUp(context.WithoutCancel(ctx)))
	if err != nil {
		return "", false, err
	}
	if o.quick {
		for i := range rows {
			rows[i].goal, rows[i].ratioGoal = "", "" // which are not for such sizes
		}
	}
	text, met = render(f.about, rows)
	return text + b.after.String(), met, nil
}
