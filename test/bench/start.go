package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// start is how soon an agent is at work.
var start = figure{
	name:  "start",
	title: "Start",
	about: `From the start of the process to the first check that reaches the real S3 server, and until each of 1,000 services was
checked, which finds nothing new. The alternative is the process that does the least that can be done: ` + "`curl -I`" + ` of one
object, to the same proxy before the server, which notes when a request comes and counts connections.`,
	run: runStart,
}

func runStart(ctx context.Context, b *bench) (rows []row, err error) {
	c, remove, err := b.crowd(ctx, "S3")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	var all, opened series
	results, err := interleave(ctx, b.rounds,
		contender{name: "dropship agent", run: func(ctx context.Context) (float64, error) {
			first, last, conns, err := c.start(ctx)
			all, opened = append(all, last.Seconds()), append(opened, float64(conns))
			return first.Seconds(), err
		}},
		contender{name: "curl -I", run: func(ctx context.Context) (float64, error) {
			began := time.Now()
			args := append([]string{"-sSfI", "-o", "/dev/null"}, c.at.curl(c.meter.address(), c.keys()[0])...)
			if _, err := command(ctx, c.dir, "curl", args...); err != nil {
				return 0, err
			}
			return c.meter.since(began)[0].at.Sub(began).Seconds(), nil
		}},
		timed("dropship validate", b.dropship, "validate", "--config", c.config()),
		timed("dropship version", b.dropship, "version"),
		contender{name: "the parser alone", run: func(context.Context) (float64, error) { return c.parse() }},
	)
	if err != nil {
		return nil, err
	}
	agent, curl := results[0], results[1]
	n := len(c.names)
	all, opened = all[len(all)-len(agent):], opened[len(opened)-len(agent):] // as the others, without the warm-up
	return []row{
		{
			what: fmt.Sprintf("first check of %d services", n), ours: agent.seconds(),
			against: "curl -I", theirs: curl.seconds(), ratio: agent.over(curl), goal: "≤ 100 ms", met: agent.median() <= 0.1,
			note: fmt.Sprintf("in the same rounds the start of the process alone (dropship version) took %s, and that with the reading of as many "+
				"services (dropship validate) %s; HCL's parser alone takes %s for their text, on one core",
				results[3].seconds(), results[2].seconds(), results[4].seconds()),
		},
		{what: fmt.Sprintf("all %d services checked", n), ours: all.seconds()},
		{what: "connections opened for that", ours: fmt.Sprintf("%.0f", opened.median())},
	}, nil
}

// parse returns how long HCL's parser takes for the files of the services, without reading them or making anything of
// them.
func (c *crowd) parse() (float64, error) {
	var took time.Duration
	for _, name := range c.names {
		path := filepath.Join(c.dir, "services", name+".hcl")
		text, err := os.ReadFile(path)
		if err != nil {
			return 0, err
		}
		began := time.Now()
		_, diags := hclsyntax.ParseConfig(text, path, hcl.InitialPos)
		took += time.Since(began)
		if diags.HasErrors() {
			return 0, diags
		}
	}
	return took.Seconds(), nil
}

// start starts an agent, and stops it when it has checked every service. It returns how long the first check and the
// last took to come, and how many connections were made for all of them.
func (c *crowd) start(ctx context.Context) (first, last time.Duration, conns int64, err error) {
	before := c.meter.conns.Load()
	a, err := startAgent(ctx, c.binary, c.config())
	if err != nil {
		return 0, 0, 0, err
	}
	defer func() { err = errors.Join(err, a.stop()) }()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	checked := make(map[string]time.Duration)
	for len(checked) < len(c.names) {
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return 0, 0, 0, fmt.Errorf("%d of %d services were checked: %w", len(checked), len(c.names), err)
		}
		for _, r := range c.meter.since(a.started) {
			if _, again := checked[r.what]; !again {
				at := r.at.Sub(a.started)
				checked[r.what], last = at, max(last, at)
			}
		}
	}
	return c.meter.since(a.started)[0].at.Sub(a.started), last, c.meter.conns.Load() - before, nil
}
