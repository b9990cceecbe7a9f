package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"
)

// A part is something that everybody has to do who installs an artifact, checks it and syncs it, taken alone.
type part struct {
	name string
	took series
}

// parts are what installing a packing is made of, and the contenders that take each of them alone, in the same order.
func (b *bench) parts(p packing, clear func(ctx context.Context) error) (parts []part, contenders []contender) {
	line := func(name, line string, prepare func(ctx context.Context) error) {
		parts = append(parts, part{name: name})
		contenders = append(contenders, contender{name: name, prepare: prepare, run: func(ctx context.Context) (float64, error) {
			u, err := shell(ctx, b.dir, line)
			return u.wall.Seconds(), err
		}})
	}
	line("curl to /dev/null", b.curl(p.object)+" > /dev/null", nil)
	if p.unpack != "" {
		line(p.unpack, p.unpack+" < "+p.local+" > /dev/null", nil)
	}
	line("md5sum", "md5sum "+p.local, nil)
	parts = append(parts, part{name: "Go's sha256"})
	contenders = append(contenders, contender{name: "sha256", run: func(context.Context) (float64, error) { return timeSHA256(p.local) }})
	line("copying and syncing the files", "cp -r unpacked/. by-hand/out && sync -f by-hand/out", clear)
	return parts, contenders
}

// floor is the least, in each round, that all parts by these programs can take together on this machine: as long as the
// longest, and as long as its cores need for all of them.
func floor(parts []part) series {
	all := make(series, len(parts[0].took))
	for round := range all {
		var sum, most float64
		for _, p := range parts {
			sum += p.took[round]
			most = max(most, p.took[round])
		}
		all[round] = max(most, sum/float64(runtime.NumCPU()))
	}
	return all
}

// limit says what the parts took, and what a row could be at best.
func limit(parts []part, theirs series) string {
	var text string
	for i, p := range parts {
		switch i {
		case 0:
		case len(parts) - 1:
			text += " and "
		default:
			text += ", "
		}
		text += fmt.Sprintf("%s %.3g s", p.name, p.took.median())
	}
	least := floor(parts)
	return fmt.Sprintf("each alone, in the same rounds: %s. If %d cores shared that as well as can be, it would take %.3g s, which is a ratio of %.2f",
		text, runtime.NumCPU(), least.median(), least.over(theirs))
}

// timeSHA256 is how long the sha256 of a file takes, as Dropship computes it.
func timeSHA256(path string) (float64, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	start := time.Now()
	_, err = io.Copy(sha256.New(), f)
	return time.Since(start).Seconds(), err
}
