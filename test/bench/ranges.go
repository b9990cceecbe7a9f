package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// ranges is a download over more than one connection, where that helps and where it does not.
var ranges = figure{
	name:  "ranges",
	title: "Slow connections, and a limit of one's own",
	about: "One file from the real S3 server, through a relay on loopback that limits each connection, or all of them together:\n" +
		"`dropship apply`, from its start to its end, with everything checked and synced, against `curl` of the same object,\n" +
		"and against itself with `maxDownloads = 1`, which keeps it to one connection. The last row is what\n" +
		"`maxBandwidth` makes of a line without a limit: the ratio is that of the time to the one that the limit stands for.",
	run: measureRanges,
}

// A way is one to the S3 server, and a download over it.
type way struct {
	b      *bench // with the server at the other end
	name   string
	object object
	global string // settings
	end    func()

	downloads, single int // those that were made, and those of them that never had a second connection
}

func (b *bench) to(ctx context.Context, name string, n narrow, o object, global string) (*way, error) {
	set := b.set
	url, end, err := n.open(ctx, set.S3.Endpoint)
	if err != nil {
		return nil, err
	}
	set.S3.Endpoint = url
	return &way{b: &bench{set: set, dropship: b.dropship, dir: b.dir}, name: name, object: o, global: global, end: end}, nil
}

// prepare returns the configuration that installs the object, which is not there any more.
func (l *way) prepare() (config string, err error) {
	dir := filepath.Join(l.b.dir, l.name)
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	return l.b.configure(l.name, l.global, service("app", l.object, filepath.Join(dir, "srv", "app"), ""))
}

// apply installs the object, and returns the seconds that it took.
func (l *way) apply(ctx context.Context) (float64, error) {
	config, err := l.prepare()
	if err != nil {
		return 0, err
	}
	u, err := command(ctx, "", l.b.dropship, "apply", "--config", config)
	l.downloads++
	if strings.Contains(u.said, " connections=1\n") {
		l.single++
	}
	return u.wall.Seconds(), err
}

// memory installs the object, and returns the most memory that it took, in bytes.
func (l *way) memory(ctx context.Context) (float64, error) {
	config, err := l.prepare()
	if err != nil {
		return 0, err
	}
	return peakOf(ctx, "", l.b.dropship, "apply", "--config", config)
}

func (l *way) curl(ctx context.Context) (float64, error) {
	u, err := shell(ctx, l.b.dir, l.b.curl(l.object)+" -o curl.tmp")
	return u.wall.Seconds(), err
}

const mebi = 1 << 20

func measureRanges(ctx context.Context, b *bench) ([]row, error) {
	small, large := int64(64*mebi), int64(256*mebi)
	if b.quick {
		small, large = mebi, 2*mebi
	}
	noise := &noise{random: rand.New(rand.NewPCG(1, 1))}
	var objects [2]object
	for i, size := range []int64{small, large} {
		var err error
		if objects[i], err = b.publish(ctx, fmt.Sprint("file-", i), func(w io.Writer) error {
			_, err := io.CopyN(w, noise, size)
			return err
		}); err != nil {
			return nil, err
		}
	}
	var rows []row
	for _, l := range []struct {
		what   string
		way    narrow
		object object
		goal   string
		limit  float64
		curl   bool // else itself over one connection
	}{
		{"8 MiB/s for each connection", narrow{each: 8 * mebi}, objects[0], "≤ 0.5", 0.5, true},
		{"8 MiB/s for each, 20 MiB/s for all", narrow{each: 8 * mebi, total: 20 * mebi}, objects[0], "≤ 0.7", 0.7, true},
		{"20 MiB/s for all connections", narrow{total: 20 * mebi}, objects[0], "≤ 1.05", 1.05, false},
		{"no limit", narrow{}, objects[1], "≤ 1.05", 1.05, false},
	} {
		b.logf("%s", l.what)
		rounds := b.rounds
		if l.way == (narrow{}) {
			rounds *= 3 // nothing holds these to a time, so they differ most
		}
		r, err := b.compare(ctx, rounds, l.way, l.object, l.curl)
		if err != nil {
			return nil, err
		}
		r.what = fmt.Sprintf("%d MiB over %s", l.object.size/mebi, l.what)
		r.ratioGoal, r.met = l.goal, r.ratio <= l.limit
		rows = append(rows, r)
	}
	b.logf("maxBandwidth")
	r, err := b.restrained(ctx, objects[0], 20*mebi)
	if err != nil {
		return nil, err
	}
	return append(rows, r), nil
}

// compare lets a download take turns with curl, or with one over a single connection.
func (b *bench) compare(ctx context.Context, rounds int, n narrow, o object, curl bool) (row, error) {
	free, err := b.to(ctx, "free", n, o, "")
	if err != nil {
		return row{}, err
	}
	defer free.end()
	single, err := b.to(ctx, "single", n, o, "maxDownloads = 1\n")
	if err != nil {
		return row{}, err
	}
	defer single.end()
	ours := contender{name: "apply", run: free.apply}
	other, name := contender{name: "curl", run: single.curl}, "`curl -o`"
	if !curl {
		name = "the same over one connection"
		other = contender{name: "apply over one connection", run: single.apply}
	}
	all, err := interleave(ctx, rounds, ours, other)
	if err != nil {
		return row{}, err
	}
	memory, err := free.memory(ctx)
	if err != nil {
		return row{}, err
	}
	return row{
		ours: all[0].seconds(), against: name, theirs: all[1].seconds(), ratio: all[0].over(all[1]),
		note: fmt.Sprintf("%d of %d downloads, the uncounted first one too, came over a single connection; %.1f MiB of memory at most, in one more round",
			free.single, free.downloads, memory/mebi),
	}, nil
}

// restrained measures how well a limit of bytes a second is kept.
func (b *bench) restrained(ctx context.Context, o object, limit int64) (row, error) {
	l, err := b.to(ctx, "restrained", narrow{}, o, fmt.Sprintf("maxBandwidth = \"%dMiB/s\"\n", limit/mebi))
	if err != nil {
		return row{}, err
	}
	defer l.end()
	all, err := interleave(ctx, b.rounds, contender{name: "apply", run: l.apply})
	if err != nil {
		return row{}, err
	}
	exact := series{float64(o.size) / float64(limit)}
	ratio := all[0].median() / exact.median()
	return row{
		what: fmt.Sprintf("%d MiB with maxBandwidth = \"%dMiB/s\"", o.size/mebi, limit/mebi),
		ours: all[0].seconds(), against: "exactly that", theirs: fmt.Sprintf("%.3g s", exact.median()), ratio: ratio,
		ratioGoal: "0.9 to 1.2", met: ratio >= 0.9 && ratio <= 1.2,
		note: "beyond the download there are the start of the program, the check, and the sync",
	}, nil
}
