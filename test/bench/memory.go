package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/klauspost/compress/gzip"
)

// memory is the most that an install has in memory, whatever the size of the artifact.
var memory = figure{
	name:  "memory",
	title: "Memory",
	about: "The largest resident set (VmHWM) of `dropship apply` of a tar.gz from the real S3 server, code and libraries\n" +
		"included, beside those of the processes of `curl | tar -xz` together, with bash left out.",
	run: measureMemory,
}

func measureMemory(ctx context.Context, b *bench) ([]row, error) {
	small, large := of256MiB, tarball{files: 2000, size: 5850 << 20, seed: 1} // which packs to 4 GiB
	if b.quick {
		small.files, small.size, large.files, large.size = 100, 4<<20, 100, 16<<20
	}
	var rows []row
	var peaks series
	for _, t := range []struct {
		tree   tarball
		rounds int
	}{{small, b.rounds}, {large, 1}} { // once is enough: memory varies little, and time does not count
		b.logf("making a tar.gz of %d MiB of files", t.tree.size>>20)
		// At the usual level, to make it would take longer than to measure.
		o, err := b.publish(ctx, fmt.Sprintf("%d.tar.gz", t.tree.size), t.tree.gzipAt(gzip.BestSpeed))
		if err != nil {
			return nil, err
		}
		config := ""
		all, err := interleave(ctx, t.rounds, contender{
			name: "dropship apply",
			prepare: func(ctx context.Context) (err error) {
				if _, err = shell(ctx, b.dir, "rm -rf agent out"); err == nil {
					config, err = b.configure("agent", "", service("app", o, filepath.Join(b.dir, "agent", "srv", "app"), ""))
				}
				return err
			},
			run: func(ctx context.Context) (float64, error) {
				peak, err := peakOf(ctx, b.dir, b.dropship, "apply", "--config", config)
				b.logf("%d MiB: %.1f MiB", o.size>>20, peak/mebi)
				return peak, err
			},
		}, contender{
			name: "pipe",
			prepare: func(ctx context.Context) error {
				_, err := shell(ctx, b.dir, "rm -rf agent out && mkdir out")
				return err
			},
			run: func(ctx context.Context) (float64, error) {
				return peakOf(ctx, b.dir, "bash", "-euo", "pipefail", "-c", b.curl(o)+" | tar -xz -C out")
			},
		})
		if err != nil {
			return nil, err
		}
		ours, pipe := all[0], all[1]
		peaks = append(peaks, ours.median())
		rows = append(rows, row{
			what: fmt.Sprintf("%d MiB tar.gz of %d files", o.size>>20, t.tree.files), ours: ours.mebibytes(), against: "curl, tar, gzip", theirs: pipe.mebibytes(),
			ratio: ours.over(pipe), goal: "≤ 32 MiB", met: ours.median() <= 32<<20,
		})
	}
	growth := peaks[1] / peaks[0]
	return append(rows, row{
		what: "the second artifact to the first", ours: series{peaks[1]}.mebibytes(), against: "the first", theirs: series{peaks[0]}.mebibytes(),
		ratio: growth, ratioGoal: "0.9 to 1.1", met: growth >= 0.9 && growth <= 1.1,
	}), nil
}
