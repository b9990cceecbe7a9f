package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"syscall"
	"time"
)

// reload is what a reload of the configuration does to the checks.
var reload = figure{
	name:  "reload",
	title: "Reload",
	about: `An agent with 1,000 services of 10 seconds at the real S3 server gets SIGHUP again and again, by turns with nothing changed
in its configuration and with one service changed, each time another. The proxy before the server notes when each service is
checked. A check that is lost, or delayed by one reload, would show as a longer time between two of a service, one too many
as a shorter one: an interval, give or take a tenth, is as it should be.`,
	run: runReload,
}

func runReload(ctx context.Context, b *bench) (rows []row, err error) {
	c, remove, err := b.crowd(ctx, "S3")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	a, err := startAgent(ctx, c.binary, c.config())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, a.stop()) }()
	if err := pause(ctx, 3*c.interval); err != nil { // their first two waits are of any length
		return nil, err
	}
	begin := time.Now()
	if err := pause(ctx, 2*c.interval); err != nil {
		return nil, err
	}
	quiet := gapsOf(c.meter.since(begin))

	begin = time.Now()
	var took series // of a changed service, until it was checked
	changed := make(map[string]bool)
	for i := range b.rounds {
		b.logf("reload %d and %d of %d", 2*i+1, 2*i+2, 2*b.rounds)
		if err := a.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			return nil, err
		}
		if err := pause(ctx, c.interval/5); err != nil {
			return nil, err
		}
		name := c.names[i]
		changed[name] = true
		if err := c.configure(changed); err != nil {
			return nil, err
		}
		asked := time.Now()
		if err := a.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			return nil, err
		}
		if err := pause(ctx, c.interval/5); err != nil {
			return nil, err
		}
		for _, r := range c.meter.since(asked) {
			if serviceOf(r) == name {
				took = append(took, r.at.Sub(asked).Seconds())
				break
			}
		}
	}
	if len(took) != b.rounds {
		return nil, fmt.Errorf("%d of %d services that changed were checked at the reload", len(took), b.rounds)
	}
	if err := pause(ctx, 2*c.interval); err != nil {
		return nil, err
	}
	var others []request
	for _, r := range c.meter.since(begin) {
		if !changed[serviceOf(r)] {
			others = append(others, r)
		}
	}
	got, interval := gapsOf(others), c.interval.Seconds()
	return []row{
		{
			what: fmt.Sprintf("%d reloads: longest time between two checks", 2*b.rounds), ours: fmt.Sprintf("%.2f s", got.most),
			against: "no reload", theirs: fmt.Sprintf("%.2f s", quiet.most), ratio: got.most / quiet.most,
			goal: fmt.Sprintf("≤ %.3g s", 1.12*interval), met: got.most <= 1.12*interval || b.quick,
		},
		{
			what: "shortest", ours: fmt.Sprintf("%.2f s", got.least),
			against: "no reload", theirs: fmt.Sprintf("%.2f s", quiet.least), ratio: got.least / quiet.least,
			goal: fmt.Sprintf("≥ %.3g s", 0.88*interval), met: got.least >= 0.88*interval || b.quick,
		},
		{what: "a changed service is checked after", ours: took.seconds()},
	}, nil
}

// serviceOf returns the service that a request is about.
func serviceOf(r request) string {
	return strings.TrimSuffix(path.Base(r.what), ".tar.gz")
}
