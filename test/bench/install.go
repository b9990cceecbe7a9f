package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// installing is how long a first install takes, beside what people do in its place.
var installing = figure{
	name:  "install",
	title: "Install",
	about: "The whole of `dropship apply` for an artifact in the real S3 server: the request that finds it, the download, md5 and\n" +
		"sha256 of all bytes, the unpacking, the sync to disk, the switch. Beside it `curl` of the same object into `tar` (for\n" +
		"a single file: to the file), which checks and syncs nothing; the same with a `sync -f` after it; and a download that is\n" +
		"checked with `md5sum -c` and unpacked then, unsynced. All that a round left is removed before the next.",
	run: measureInstalling,
}

// A packing is one kind of artifact, and how people unpack it.
type packing struct {
	what   string
	object object
	tar    string // unpacks it from standard input into the directory "out"; empty: it is a single file
	local  string // where it is on disk, too
}

func measureInstalling(ctx context.Context, b *bench) ([]row, error) {
	tree, large := of256MiB, int64(1<<30)
	if b.quick {
		tree.files, tree.size, large = 100, 4<<20, 4<<20
	}
	noisy := func(w io.Writer) error {
		_, err := io.Copy(w, io.LimitReader(&noise{random: rand.New(rand.NewPCG(1, 1))}, large))
		return err
	}
	packings := []packing{
		{what: fmt.Sprintf("tar.gz of %d files", tree.files), tar: "tar -xz -C out"},
		{what: fmt.Sprintf("tar.zst of %d files", tree.files), tar: "tar -x --zstd -C out"},
		{what: "file"},
	}
	var rows []row
	for i, write := range []struct {
		key   string
		bytes func(io.Writer) error
	}{{"app.tar.gz", tree.gzip()}, {"app.tar.zst", tree.zstd()}, {"app.bin", noisy}} {
		p := packings[i]
		b.logf("making the %s", p.what)
		var err error
		if p.object, err = b.publish(ctx, write.key, write.bytes); err != nil {
			return nil, err
		}
		p.what = fmt.Sprintf("%d MiB %s", p.object.size>>20, p.what)
		p.local = filepath.Join(b.dir, write.key)
		if _, err := shell(ctx, b.dir, b.curl(p.object)+" -o "+p.local); err != nil {
			return nil, err
		}
		more, err := b.install(ctx, p)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
		if err := os.Remove(p.local); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// install measures one packing.
func (b *bench) install(ctx context.Context, p packing) ([]row, error) {
	dir, config := filepath.Join(b.dir, "by-hand"), ""
	clear := func(ctx context.Context) (err error) {
		_, err = shell(ctx, b.dir, "rm -rf by-hand agent && mkdir -p by-hand/out && sync -f .")
		if err == nil {
			config, err = b.configure("agent", "", service("app", p.object, filepath.Join(b.dir, "agent", "srv", "app"), ""))
		}
		return err
	}
	line := func(name, line string) contender {
		return contender{name: name, prepare: clear, run: func(ctx context.Context) (float64, error) {
			u, err := shell(ctx, dir, line)
			b.logf("%s: %s: %.2f s", p.what, name, u.wall.Seconds())
			return u.wall.Seconds(), err
		}}
	}
	curl, check := b.curl(p.object), fmt.Sprintf(" -o artifact && echo '%s  artifact' | md5sum -c --quiet && ", p.object.md5)
	names := []string{"curl, tar -x", "curl, tar -x; sync -f", "curl; md5sum -c; tar -x"}
	pipe, byHand := curl+" | "+p.tar, curl+check+p.tar+" < artifact"
	if p.tar == "" {
		names = []string{"curl", "curl; sync -f", "curl; md5sum -c; mv"}
		pipe, byHand = curl+" -o out/app", curl+check+"mv artifact out/app"
	}
	var cpu series
	all, err := interleave(ctx, b.rounds,
		contender{name: "dropship apply", prepare: clear, run: func(ctx context.Context) (float64, error) {
			u, err := command(ctx, "", b.dropship, "apply", "--config", config)
			cpu = append(cpu, u.cpu.Seconds())
			b.logf("%s: dropship apply: %.2f s", p.what, u.wall.Seconds())
			return u.wall.Seconds(), err
		}},
		line(names[0], pipe),
		line(names[1], pipe+" && sync -f out"),
		line(names[2], byHand),
		line("md5sum", "md5sum "+p.local),
		contender{name: "sha256", run: func(context.Context) (float64, error) { return timeSHA256(p.local) }},
	)
	if err != nil {
		return nil, err
	}
	ours := all[0]
	note := fmt.Sprintf("Dropship took %.3g s of CPU; in the same rounds md5sum alone took %s for these bytes, and Go's sha256 %s",
		cpu.median(), all[4].seconds(), all[5].seconds())
	var rows []row
	for i, goal := range []float64{1, 0.9, 0.7} {
		theirs := all[1+i]
		r := row{
			what: p.what, ours: ours.seconds(), against: names[i], theirs: theirs.seconds(), ratio: ours.over(theirs),
			goal: fmt.Sprintf("≤ %.1f", goal), met: ours.over(theirs) <= goal,
		}
		if i == 0 {
			r.note = note
		}
		rows = append(rows, r)
	}
	return rows, nil
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
