package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
)

// rollback is what it takes to have the previous release back.
var rollback = figure{
	name:  "rollback",
	title: "Rollback",
	about: "Two releases of 2,000 files, about 64 MiB as tar.gz, take turns at a destination: forward by the agent (`dropship\n" +
		"retry`), which downloads the newer one each time, and back by `dropship rollback`. Beside it what people do who have\n" +
		"no release left: download the previous artifact again, and unpack it. In the second half a release fails in its\n" +
		"after chain, and is rolled back by itself.",
	run: measureRollback,
}

func measureRollback(ctx context.Context, b *bench) ([]row, error) {
	good, bad := tarball{files: 2000, size: 92 << 20, seed: 1}, tarball{files: 2000 + perDirectory, size: 92 << 20, seed: 2}
	if b.quick {
		good, bad = tarball{files: perDirectory, size: 1 << 20, seed: 1}, tarball{files: 2 * perDirectory, size: 1 << 20, seed: 2}
	}
	b.logf("making two releases")
	older, err := b.publish(ctx, "older.tar.gz", good.gzip())
	if err != nil {
		return nil, err
	}
	newer, err := b.publish(ctx, "newer.tar.gz", bad.gzip())
	if err != nil {
		return nil, err
	}
	rows, err := b.rollbackAsked(ctx, older, newer)
	if err != nil {
		return nil, err
	}
	// Only the newer release has this directory.
	itself, err := b.rollbackByItself(ctx, older, newer, fmt.Sprintf("lib/part-%04d", good.files/perDirectory))
	return append(rows, itself...), err
}

// rollbackAsked is the rollback that a person asks for.
func (b *bench) rollbackAsked(ctx context.Context, older, newer object) (rows []row, err error) {
	site := b.installation("asked")
	for _, o := range []object{older, newer} {
		if err := site.offer(o, "  checkInterval = \"1h\"\n"); err != nil {
			return nil, err
		}
		if _, _, err := site.apply(ctx); err != nil {
			return nil, err
		}
	}
	agent, err := startAgent(ctx, b.dropship, site.config)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, agent.stop()) }()
	if err := site.answers(ctx); err != nil {
		return nil, err
	}
	var back, whole series // gaps and whole updates of rollbacks
	all, err := interleave(ctx, b.rounds, contender{
		name: "rollback",
		run: func(ctx context.Context) (float64, error) {
			u, err := command(ctx, "", b.dropship, "rollback", app, "--config", site.config)
			if err != nil {
				return 0, err
			}
			r, err := site.last()
			if err != nil {
				return 0, err
			}
			g, err := gap(r, hooks.StatusRollback)
			back, whole = append(back, g), append(whole, time.Duration(r.Took).Seconds())
			b.logf("back: %.2f ms in an update of %.0f ms", 1e3*g, 1e3*time.Duration(r.Took).Seconds())
			return u.wall.Seconds(), err
		},
	}, contender{
		name: "forward",
		run: func(ctx context.Context) (float64, error) {
			r, err := site.last()
			if err != nil {
				return 0, err
			}
			if _, err := command(ctx, "", b.dropship, "retry", app, "--config", site.config); err != nil {
				return 0, err
			}
			if r, err = site.next(ctx, r); err != nil {
				return 0, err
			}
			return gap(r, hooks.StatusUpdate)
		},
	}, contender{
		name: "curl | tar",
		run: func(ctx context.Context) (float64, error) {
			u, err := shell(ctx, b.dir, fmt.Sprintf("rm -rf again && mkdir again && %s | tar -xz -C again", b.curl(older)))
			return u.wall.Seconds(), err
		},
	})
	if err != nil {
		return nil, err
	}
	back, whole = back[len(back)-b.rounds:], whole[len(whole)-b.rounds:]
	return []row{
		{
			what: "`dropship rollback`: between the chains", ours: back.seconds(), against: "forward, the same releases", theirs: all[1].seconds(),
			ratio: back.over(all[1]), goal: gapGoal, met: back.median() <= gapLimit,
		},
		{
			what: "`dropship rollback`: the whole command", ours: all[0].seconds(), against: "rm -rf; curl \\| tar -xz", theirs: all[2].seconds(), ratio: all[0].over(all[2]),
			note: fmt.Sprintf("of which the update, with two shells as hooks and a question to the repository, took %s; nothing is downloaded, and the state is synced before and after", whole.seconds()),
		},
	}, nil
}

// rollbackByItself is the rollback of a release that fails in its after chain.
func (b *bench) rollbackByItself(ctx context.Context, older, newer object, sign string) ([]row, error) {
	site := b.installation("itself")
	check := fmt.Sprintf("  after \"script\" { command = \"[ ! -e %s ]\" }\n", filepath.Join(site.destination(), sign))
	if err := site.offer(older, check); err != nil {
		return nil, err
	}
	if _, _, err := site.apply(ctx); err != nil {
		return nil, err
	}
	if err := site.offer(newer, check); err != nil {
		return nil, err
	}
	var forward, whole series
	all, err := interleave(ctx, b.rounds, contender{
		name: "rollback by itself",
		prepare: func(ctx context.Context) error {
			_, err := command(ctx, "", b.dropship, "retry", app, "--config", site.config)
			return err
		},
		run: func(ctx context.Context) (float64, error) {
			before, err := site.last()
			if err != nil {
				return 0, err
			}
			_, failed := command(ctx, "", b.dropship, "apply", "--config", site.config)
			r, err := site.last()
			if err != nil {
				return 0, err
			}
			if r.UpdateID == before.UpdateID || r.Outcome != dropship.RolledBack {
				return 0, fmt.Errorf("the release was not rolled back: %w", failed)
			}
			f, err := gap(r, hooks.StatusUpdate)
			if err != nil {
				return 0, err
			}
			_, from, err := chain(r, hooks.After, hooks.StatusUpdate)
			if err != nil {
				return 0, err
			}
			to, _, err := chain(r, hooks.After, hooks.StatusRollback)
			if err != nil {
				return 0, err
			}
			forward, whole = append(forward, f), append(whole, to.Sub(from).Seconds())
			return gap(r, hooks.StatusRollback)
		},
	})
	if err != nil {
		return nil, err
	}
	back := all[0]
	forward, whole = forward[len(forward)-b.rounds:], whole[len(whole)-b.rounds:]
	return []row{{
		what: "a release that fails: between the chains", ours: back.seconds(), against: "forward, in the same update", theirs: forward.seconds(),
		ratio: back.over(forward), goal: gapGoal, met: back.median() <= gapLimit,
		note: fmt.Sprintf("from the end of the hook that failed to the after chain of the previous release, with its before chain (a shell) and the quarantine on disk, were %s", whole.seconds()),
	}}, nil
}
