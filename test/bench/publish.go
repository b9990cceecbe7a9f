package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
)

// publishing is how long it takes until what was published is live.
var publishing = figure{
	name:  "publish",
	title: "From published to live",
	about: "An agent that checks each second, and an artifact of 2,000 files, 256 MiB as tar.gz, that is uploaded to the real\n" +
		"S3 server. The time is that from the answer to the upload to the begin of the after chain, without the wait for the\n" +
		"next check: from its begin, by the history, where that is later. Beside it `dropship apply` of the same object, from its\n" +
		"start to its end.",
	run: measurePublishing,
}

func measurePublishing(ctx context.Context, b *bench) ([]row, error) {
	tree := of256MiB
	if b.quick {
		tree.size = 1 << 20
	}
	var objects [2]object
	for i := range objects {
		b.logf("making artifact %d", i)
		tree.seed = uint64(i)
		o, err := b.publish(ctx, fmt.Sprintf("%d.tar.gz", i), tree.gzip())
		if err != nil {
			return nil, err
		}
		if _, err := shell(ctx, b.dir, b.curl(o)+" -o "+o.key); err != nil {
			return nil, err
		}
		objects[i] = o
	}
	live := object{bucket: b.bucket, key: "live.tar.gz"}
	b.objects = append(b.objects, live.key)
	if _, err := b.upload(ctx, objects[1], live); err != nil {
		return nil, err
	}
	watching := b.installation("agent")
	if err := watching.offer(live, "  checkInterval = \"1s\"\n"); err != nil {
		return nil, err
	}
	return b.race(ctx, watching, objects, live)
}

// race lets an agent that finds what is published and dropship apply take turns.
func (b *bench) race(ctx context.Context, watching *installed, objects [2]object, live object) (rows []row, err error) {
	agent, err := startAgent(ctx, b.dropship, watching.config)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, agent.stop()) }()
	previous, err := watching.next(ctx, dropship.Record{})
	if err != nil {
		return nil, err
	}
	applied, n := b.installation("apply"), 0
	var whole, installed series
	all, err := interleave(ctx, b.rounds, contender{
		name: "publish",
		run: func(ctx context.Context) (float64, error) {
			uploaded, err := b.upload(ctx, objects[n%2], live)
			if err != nil {
				return 0, err
			}
			if previous, err = watching.next(ctx, previous); err != nil {
				return 0, err
			}
			began, _, err := chain(previous, hooks.After, hooks.StatusUpdate)
			if err != nil {
				return 0, err
			}
			whole = append(whole, began.Sub(uploaded).Seconds())
			from := uploaded
			if at := checked(previous); at.After(from) {
				from = at
			}
			b.logf("live %.2f s after the check, %.2f s after the upload", began.Sub(from).Seconds(), began.Sub(uploaded).Seconds())
			return began.Sub(from).Seconds(), nil
		},
	}, contender{
		name:    "apply",
		prepare: func(context.Context) error { return applied.offer(live, "") },
		run: func(ctx context.Context) (float64, error) {
			n++
			r, u, err := applied.apply(ctx)
			if err != nil {
				return 0, err
			}
			began, _, err := chain(r, hooks.After, hooks.StatusUpdate)
			installed = append(installed, began.Sub(checked(r)).Seconds())
			b.logf("apply: %.2f s, of which %.2f s from the check to the after chain", u.wall.Seconds(), began.Sub(checked(r)).Seconds())
			return u.wall.Seconds(), err
		},
	})
	if err != nil {
		return nil, err
	}
	whole, installed = whole[len(whole)-b.rounds:], installed[len(installed)-b.rounds:]
	ratio := all[0].over(all[1])
	return []row{{
		what: fmt.Sprintf("%d MiB tar.gz of %d files", objects[0].size>>20, of256MiB.files), ours: all[0].seconds(), against: "`dropship apply`", theirs: all[1].seconds(),
		ratio: ratio, ratioGoal: "≤ 1.2", met: ratio <= 1.2,
		note: fmt.Sprintf("with the wait for the check, at most a checkInterval (here a second) and its jitter: %s. `dropship apply` took %s from its check to the after chain; then it removes old releases",
			whole.seconds(), installed.seconds()),
	}}, nil
}

// upload puts one of the artifacts where the agent looks, and returns when that was done.
func (b *bench) upload(ctx context.Context, from, to object) (time.Time, error) {
	f, err := os.Open(filepath.Join(b.dir, from.key))
	if err != nil {
		return time.Time{}, err
	}
	defer f.Close()
	if _, err := b.client().PutObject(ctx, &s3.PutObjectInput{Bucket: &to.bucket, Key: &to.key, Body: f, ContentLength: &from.size}); err != nil {
		return time.Time{}, fmt.Errorf("cannot upload %s: %w", to.key, err)
	}
	return time.Now(), nil
}

// checked returns when the check began that found an update.
func checked(r dropship.Record) time.Time {
	for _, s := range r.Steps {
		if s.Step == dropship.StepCheck {
			return s.Started
		}
	}
	return time.Time{}
}
