package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/dropship/dropship/hooks"
)

// downtime is how long an application stands still for the switch itself.
var downtime = figure{
	name:  "downtime",
	title: "Downtime",
	about: "From the end of the before chain, which stops the application, to the begin of the after chain, which starts it:\n" +
		"Consul is asked whether the slot is still held, the two releases are exchanged, and the exchange is synced. The\n" +
		"times are those of the history (`dropship history --json`). `dropship apply` installs one artifact after the other\n" +
		"to the same destination, each from the real S3 server. Beside it what people do between stop and start: unpack the\n" +
		"artifact, downloaded before, in place of what was there, which leaves nothing synced and nothing to go back to; and\n" +
		"switch a symlink, which is neither synced nor, with `ln -sfn`, one step.",
	run: measureDowntime,
}

func measureDowntime(ctx context.Context, b *bench) ([]row, error) {
	big, files, usual := int64(2<<30), 100_000, tarball{files: 2000, size: 256 << 20, seed: 5}
	if b.quick {
		big, files, usual = 16<<20, 500, tarball{files: 20, size: 1 << 20, seed: 5}
	}
	const withSlot = "  sequentialUpdates = true\n"
	turn := withSlot + fmt.Sprintf("  updateGroup = %q\n", "bench-"+filepath.Base(b.dir))
	site := b.installation("site")
	var scripts series
	update := func(name string, t tarball, more string) (contender, object, error) {
		b.logf("making %s", name)
		o, err := b.publish(ctx, fmt.Sprintf("%d.tar", len(b.objects)), t.write)
		return contender{
			name:    name,
			prepare: func(context.Context) error { return site.offer(o, more) },
			run: func(ctx context.Context) (float64, error) {
				r, u, err := site.apply(ctx)
				if err != nil {
					return 0, err
				}
				g, err := gap(r, hooks.StatusUpdate)
				if err != nil {
					return 0, err
				}
				s, err := site.scriptGap()
				scripts = append(scripts, s)
				b.logf("%s: %.2f ms, %.2f ms for the scripts, in an update of %.1f s", name, 1e3*g, 1e3*s, u.wall.Seconds())
				return g, err
			},
		}, o, err
	}
	var contenders []contender
	var objects []object
	for _, a := range []struct {
		name string
		t    tarball
		more string
	}{
		{"1 MiB, without a slot", tarball{files: 1, size: 1 << 20, seed: 1}, ""},
		{"1 MiB, with a slot", tarball{files: 1, size: 1 << 20, seed: 2}, turn},
		{"one large file", tarball{files: 1, size: big, seed: 3}, turn},
		{"many files", tarball{files: files, size: big / 16, seed: 4}, turn},
		{"files as usual", usual, turn},
	} {
		c, o, err := update(a.name, a.t, a.more)
		if err != nil {
			return nil, err
		}
		contenders, objects = append(contenders, c), append(objects, o)
	}
	for _, o := range []object{objects[0], objects[4]} {
		contenders = append(contenders, b.byHand(o))
	}
	contenders = append(contenders, b.symlink(), b.fsync(), b.consulRead())
	all, err := interleave(ctx, b.rounds, contenders...)
	if err != nil {
		return nil, err
	}
	scripts = scripts[len(scripts)-5*b.rounds:]
	free, slot, large, many, common := all[0], all[1], all[2], all[3], all[4]
	handSmall, handCommon, link, sync, read := all[5], all[6], all[7], all[8], all[9]
	costs := fmt.Sprintf("in the same rounds a sync of a directory in which something was renamed took %s, and a consistent read from Consul over a new connection %s; "+
		"between the two scripts themselves, with the start of a shell, were %s in all five kinds of update", sync.seconds(), read.seconds(), scripts.seconds())
	const byHand = "stop; rm -rf; tar -x; start"
	return []row{
		{what: "1 MiB, 1 file, without a slot", ours: free.seconds(), against: byHand, theirs: handSmall.seconds(), ratio: free.over(handSmall), goal: gapGoal, met: free.median() <= gapLimit, note: costs},
		{what: "1 MiB, 1 file, without a slot", ours: free.seconds(), against: "ln -sfn", theirs: link.seconds(), ratio: free.over(link)},
		{what: "1 MiB, 1 file, with a slot", ours: slot.seconds(), against: "without a slot", theirs: free.seconds(), ratio: slot.over(free), goal: gapGoal, met: slot.median() <= gapLimit},
		{what: fmt.Sprintf("%d MiB, 1 file, with a slot", big>>20), ours: large.seconds(), against: "the same of 1 MiB", theirs: slot.seconds(), ratio: large.over(slot), goal: gapGoal, met: large.median() <= gapLimit},
		{what: fmt.Sprintf("%d MiB, %d files, with a slot", big>>24, files), ours: many.seconds(), against: "the same of 1 MiB", theirs: slot.seconds(), ratio: many.over(slot), goal: gapGoal, met: many.median() <= gapLimit},
		{what: fmt.Sprintf("%d MiB, %d files, with a slot", usual.size>>20, usual.files), ours: common.seconds(), against: byHand, theirs: handCommon.seconds(), ratio: common.over(handCommon), goal: gapGoal, met: common.median() <= gapLimit},
	}, nil
}

// byHand unpacks an object in place of what was there.
func (b *bench) byHand(o object) contender {
	dir := filepath.Join(b.dir, "by-hand-"+o.key)
	return contender{
		name: "by hand",
		prepare: func(ctx context.Context) error {
			if _, err := os.Stat(dir); err == nil {
				return nil
			}
			_, err := shell(ctx, b.dir, fmt.Sprintf("mkdir %s && cd %[1]s && %s -o app.tar && mkdir app && tar -xf app.tar -C app && sync -f .", dir, b.curl(o)))
			return err
		},
		run: func(ctx context.Context) (float64, error) {
			u, err := shell(ctx, dir, "rm -rf app && mkdir app && tar -xf app.tar -C app")
			return u.wall.Seconds(), err
		},
	}
}

// symlink lets a link lead to the other of two releases.
func (b *bench) symlink() contender {
	dir, n := filepath.Join(b.dir, "symlink"), 0
	return contender{
		name:    "ln -sfn",
		prepare: func(context.Context) error { return os.MkdirAll(dir, 0o755) },
		run: func(ctx context.Context) (float64, error) {
			n++
			u, err := command(ctx, dir, "ln", "-sfn", fmt.Sprintf("releases/%d", n%2), "current")
			return u.wall.Seconds(), err
		},
	}
}

// fsync is what one sync costs here.
func (b *bench) fsync() contender {
	name, n := filepath.Join(b.dir, "renamed-"), 0
	return contender{
		name: "fsync",
		run: func(context.Context) (took float64, err error) {
			dir, err := os.Open(b.dir)
			if err != nil {
				return 0, err
			}
			defer dir.Close()
			if err := os.WriteFile(name+fmt.Sprint(n), nil, 0o600); err != nil {
				return 0, err
			}
			if err := os.Rename(name+fmt.Sprint(n), name+fmt.Sprint(n+1)); err != nil {
				return 0, err
			}
			n++
			start := time.Now()
			err = dir.Sync()
			return time.Since(start).Seconds(), err
		},
	}
}

// consulRead is what the question costs whether a slot is still held.
func (b *bench) consulRead() contender {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return contender{
		name: "consistent read",
		run: func(ctx context.Context) (float64, error) {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+b.set.Consul.Address+"/v1/kv/bench?recurse&consistent", nil)
			if err != nil {
				return 0, err
			}
			start := time.Now()
			resp, err := client.Do(req)
			if err != nil {
				return 0, err
			}
			defer resp.Body.Close()
			_, err = io.Copy(io.Discard, resp.Body)
			return time.Since(start).Seconds(), err
		},
	}
}
