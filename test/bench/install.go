package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// installing is how long a first install takes, beside what people do in its place.
var installing = figure{
	name:  "install",
	title: "Install",
	about: "The whole of `dropship apply` for an artifact in the real S3 server: the request that finds it, the download, md5 and\n" +
		"sha256 of all bytes, the unpacking, the sync to disk, the switch. Beside it `curl` of the same object into `tar` (for\n" +
		"a single file: to the file), which checks and syncs nothing; the same with a `sync -f` after it; and a download that is\n" +
		"checked with `md5sum -c` and unpacked then, unsynced. The last row of each artifact has no goal: it is standard tools\n" +
		"that do as much as Dropship, in one pass, too. What a round left is emptied and put aside, and removed at the very end: an\n" +
		"ext4 without a journal looks at each file that was removed within minutes, at every one that is created.",
	run: measureInstalling,
}

// A packing is one kind of artifact, and how people unpack it.
type packing struct {
	what   string
	object object
	tar    string // unpacks it from standard input into the directory "out"; empty: it is a single file
	unpack string // decompresses standard input to standard output; empty: it is not compressed
	local  string // where it is on disk, too; what is in it is in the directory "unpacked"
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
		{what: fmt.Sprintf("tar.gz of %d files", tree.files), tar: "tar -xz -C out", unpack: "gzip -dc"},
		{what: fmt.Sprintf("tar.zst of %d files", tree.files), tar: "tar -x --zstd -C out", unpack: "zstd -dc"},
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
		unpack := "cp " + p.local + " out"
		if p.tar != "" {
			unpack = p.tar + " < " + p.local
		}
		if _, err := shell(ctx, b.dir, b.curl(p.object)+" -o "+p.local+" && mkdir out && "+unpack+" && mv out unpacked"); err != nil {
			return nil, err
		}
		more, err := b.install(ctx, p)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
		if err := b.putAside(ctx, write.key+" unpacked"); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

// putAside takes what is no longer needed out of the way, without its bytes.
func (b *bench) putAside(ctx context.Context, names string) error {
	_, err := shell(ctx, b.dir, fmt.Sprintf("mkdir -p left && find %[1]s -type f -size +0 -exec truncate -s 0 {} + && "+
		"mv %[1]s $(mktemp -d left/XXXXXX) && sync -f .", names))
	return err
}

// install measures one packing.
func (b *bench) install(ctx context.Context, p packing) ([]row, error) {
	dir, config := filepath.Join(b.dir, "by-hand"), ""
	clear := func(ctx context.Context) (err error) {
		if _, err := shell(ctx, b.dir, "mkdir -p by-hand agent"); err != nil {
			return err
		}
		if err := b.putAside(ctx, "by-hand agent"); err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Join(dir, "out"), 0o755); err != nil {
			return err
		}
		config, err = b.configure("agent", "", service("app", p.object, filepath.Join(b.dir, "agent", "srv", "app"), ""))
		return err
	}
	var cpu, cpuByTee series
	contenders := []contender{{name: "dropship apply", prepare: clear, run: func(ctx context.Context) (float64, error) {
		u, err := command(ctx, "", b.dropship, "apply", "--config", config)
		cpu = append(cpu, u.cpu.Seconds())
		b.logf("%s: dropship apply: %.2f s", p.what, u.wall.Seconds())
		return u.wall.Seconds(), err
	}}}
	rivals := b.rivals(p)
	for _, r := range rivals {
		contenders = append(contenders, contender{name: r.name, prepare: clear, run: func(ctx context.Context) (float64, error) {
			u, err := shell(ctx, dir, r.line)
			if r.goal == 0 {
				cpuByTee = append(cpuByTee, u.cpu.Seconds())
			}
			b.logf("%s: %s: %.2f s", p.what, r.name, u.wall.Seconds())
			return u.wall.Seconds(), err
		}})
	}
	parts, alone := b.parts(p, clear)
	all, err := interleave(ctx, b.rounds, append(contenders, alone...)...)
	if err != nil {
		return nil, err
	}
	for i := range parts {
		parts[i].took = all[len(contenders)+i]
	}
	ours := all[0]
	var rows []row
	for i, rival := range rivals {
		theirs := all[1+i]
		r := row{what: p.what, ours: ours.seconds(), against: rival.name, theirs: theirs.seconds(), ratio: ours.over(theirs)}
		if rival.goal == 0 {
			r.note = fmt.Sprintf("which takes %.3g s of CPU, and Dropship %.3g s, both without the server's", cpuByTee.median(), cpu.median())
		} else {
			r.ratioGoal, r.met = fmt.Sprintf("≤ %.1f", rival.goal), r.ratio <= rival.goal
			if !r.met {
				r.note = limit(parts, theirs)
			}
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// A rival is a line of shell that installs a packing in the current directory.
type rival struct {
	name, line string
	goal       float64 // for the ratio; 0: none, since it is as thorough
}

func (b *bench) rivals(p packing) []rival {
	curl, check := b.curl(p.object), fmt.Sprintf("echo '%s  artifact' | md5sum -c --quiet", p.object.md5)
	// Both sums of what passes by, each in a process of its own: what Dropship does, with what every system has.
	tee := "mkfifo md5 sha256 && { md5sum < md5 > sums & sha256sum < sha256 > sums256 & } && " +
		curl + " | tee md5 sha256 %s && sync -f out && wait && grep -q '^" + p.object.md5 + "' sums"
	if p.tar == "" {
		return []rival{
			{"curl", curl + " -o out/app", 1},
			{"curl; sync -f", curl + " -o out/app && sync -f out", 0.9},
			{"curl; md5sum -c; mv", curl + " -o artifact && " + check + " && mv artifact out/app", 0.7},
			{"curl, tee, md5sum, sha256sum; sync -f", fmt.Sprintf(tee, "> out/app"), 0},
		}
	}
	return []rival{
		{"curl, tar -x", curl + " | " + p.tar, 1},
		{"curl, tar -x; sync -f", curl + " | " + p.tar + " && sync -f out", 0.9},
		{"curl; md5sum -c; tar -x", curl + " -o artifact && " + check + " && " + p.tar + " < artifact", 0.7},
		{"curl, tee, md5sum, sha256sum, tar -x; sync -f", fmt.Sprintf(tee, "| "+p.tar), 0},
	}
}
