package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
)

// An installed is the service "app" with a configuration, a state and a destination of its own.
type installed struct {
	b      *bench
	dir    string
	config string
}

const (
	app        = "app"
	stamps     = "stamps" // where the hooks write when they ran
	patience   = 5 * time.Minute
	lookAgain  = 5 * time.Millisecond
	stampEvery = `
  before "script" { command = "echo $EPOCHREALTIME > %[1]s.before" }
  after "script" { command = "echo $EPOCHREALTIME > %[1]s.after" }
`
)

func (b *bench) installation(name string) *installed {
	return &installed{b: b, dir: filepath.Join(b.dir, name)}
}

func (i *installed) destination() string { return filepath.Join(i.dir, "srv", app) }

// offer configures the object as what is to be installed. more stands in the service, too.
func (i *installed) offer(o object, more string) (err error) {
	i.config, err = i.b.configure(filepath.Base(i.dir), fmt.Sprintf("consul {\n  address = %q\n}\n", i.b.set.Consul.Address),
		service(app, o, i.destination(), fmt.Sprintf(stampEvery, filepath.Join(i.dir, stamps))+more))
	return err
}

// apply installs what is offered, and returns how that went.
func (i *installed) apply(ctx context.Context) (dropship.Record, usage, error) {
	before, err := i.last()
	if err != nil {
		return dropship.Record{}, usage{}, err
	}
	u, err := command(ctx, "", i.b.dropship, "apply", "--config", i.config)
	if err != nil {
		return dropship.Record{}, u, err
	}
	r, err := i.last()
	if err == nil && r.UpdateID == before.UpdateID {
		err = errors.New("dropship apply installed nothing")
	}
	return r, u, err
}

// last returns what the history has of the last update; nothing if there was none.
func (i *installed) last() (dropship.Record, error) {
	records, err := dropship.NewStore(filepath.Join(i.dir, "state")).History(app, 1)
	if err != nil || len(records) == 0 {
		return dropship.Record{}, err
	}
	return records[0], nil
}

// next waits for the update after the one given.
func (i *installed) next(ctx context.Context, previous dropship.Record) (dropship.Record, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("there was no update within %s", patience))
	defer cancel()
	for {
		r, err := i.last()
		if err != nil || r.UpdateID != previous.UpdateID {
			return r, err
		}
		select {
		case <-time.After(lookAgain):
		case <-ctx.Done():
			return r, context.Cause(ctx)
		}
	}
}

// answers waits until the agent does at its socket.
func (i *installed) answers(ctx context.Context) error {
	for start := time.Now(); ; {
		_, err := command(ctx, "", i.b.dropship, "status", "--config", i.config)
		if err == nil || time.Since(start) > patience {
			return err
		}
		time.Sleep(lookAgain)
	}
}

// chain returns when the hooks of one chain of an update, or of its rollback, began and ended.
func chain(r dropship.Record, phase hooks.Phase, status hooks.Status) (began, ended time.Time, err error) {
	for _, h := range r.Hooks {
		if h.Phase != phase || h.Status != status {
			continue
		}
		if began.IsZero() {
			began = h.Started
		}
		ended = h.Started.Add(time.Duration(h.Took))
	}
	if began.IsZero() {
		err = fmt.Errorf("the history has no %s hook of %s %s (%s)", phase, status, r.UpdateID, r.Error)
	}
	return began, ended, err
}

// gapGoal is how long a gap may be, gapLimit the same in seconds.
const gapGoal, gapLimit = "≤ 10 ms", 0.010

// gap returns the seconds from the end of the before chain to the begin of the after chain.
func gap(r dropship.Record, status hooks.Status) (float64, error) {
	_, from, err := chain(r, hooks.Before, status)
	if err != nil {
		return 0, err
	}
	to, _, err := chain(r, hooks.After, status)
	return to.Sub(from).Seconds(), err
}

// scriptGap is the gap between the two hooks' scripts themselves: what is above, and the start of a shell.
func (i *installed) scriptGap() (float64, error) {
	var at [2]float64
	for n, name := range []string{"before", "after"} {
		text, err := os.ReadFile(filepath.Join(i.dir, stamps+"."+name))
		if err == nil {
			at[n], err = strconv.ParseFloat(strings.TrimSpace(string(text)), 64)
		}
		if err != nil {
			return 0, fmt.Errorf("cannot tell when the %s hook ran: %w", name, err)
		}
	}
	return at[1] - at[0], nil
}
