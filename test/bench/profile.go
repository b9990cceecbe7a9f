package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// profiles shows where the time and the memory of the hot paths go: the ten functions that come first.
var profiles = figure{
	name:  "profile",
	title: "Appendix: profiles",
	about: "Where the time and the memory of the hot paths go: CPU by the time that a function takes itself, memory by what\n" +
		"it allocates. `go test -run '^$' -bench NAME -cpuprofile cpu.out -memprofile mem.out PACKAGE` makes such profiles.",
	run: profile,
}

// profiled are the benchmarks that profiles are taken of.
var profiled = []struct{ title, pkg, name string }{
	{"Staging a tar.gz: download, hashes, unpacking, sync", "github.com/dropship/dropship/dropship", "^BenchmarkStage$/^tar.gz$"},
	{"Checking a service that is up to date", "github.com/dropship/dropship/dropship", "^BenchmarkCheck$"},
}

func profile(ctx context.Context, b *bench) ([]row, error) {
	for _, p := range profiled {
		cpu, heap := filepath.Join(b.dir, "cpu.out"), filepath.Join(b.dir, "mem.out")
		time := "3s"
		if b.quick {
			time = "1x"
		}
		// The test's own program, which pprof wants, is put into the directory, too.
		b.logf("%s", p.title)
		_, err := command(ctx, "", "go", "test", "-run", "^$", "-bench", p.name, "-benchtime", time, "-cpuprofile", cpu, "-memprofile", heap,
			"-o", filepath.Join(b.dir, "test"), p.pkg)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b.after, "\n### %s\n", p.title)
		for _, of := range []struct{ what, sample, path string }{
			{"CPU, in samples of 10 ms", "samples", cpu},
			{"Memory allocated", "alloc_space", heap},
		} {
			top, err := exec.CommandContext(ctx, "go", "tool", "pprof", "-top", "-nodecount=10", "-sample_index="+of.sample, of.path).Output()
			if err != nil {
				return nil, fmt.Errorf("cannot read the profile of %s: %w", p.name, err)
			}
			fmt.Fprintf(&b.after, "\n%s:\n\n```\n%s```\n", of.what, table(string(top)))
		}
	}
	return nil, nil
}

// table leaves out what pprof says before its table.
func table(top string) string {
	if _, rows, found := strings.Cut(top, "      flat  "); found {
		return "      flat  " + rows
	}
	return top
}
