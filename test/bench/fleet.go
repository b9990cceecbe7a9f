package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/archive"
	"github.com/dropship/dropship/artifact/file"
	"github.com/dropship/dropship/artifact/install"
	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/lock"
)

// A fleet is machines that have one service each, the same one, in this process.
type fleet struct {
	dir      string
	versions int
	members  []*member
}

// A member is one machine: with a state, a destination and hooks of its own.
type member struct {
	service *dropship.Service
	machine *dropship.Machine
	begun   time.Time // when its before hook began last
	given   time.Time // when it began to give its slot back last
}

func newFleet(dir string, n int) (*fleet, error) {
	f := &fleet{dir: dir}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	source, err := fileSource(dir, "web.tar.gz")
	if err != nil {
		return nil, err
	}
	for i := range n {
		home := filepath.Join(dir, fmt.Sprint("web-", i))
		a := &member{machine: dropship.NewMachine(fmt.Sprint("web-", i), dropship.NewStore(filepath.Join(home, "state")), slog.New(slog.DiscardHandler))}
		step := hooks.Step{Timeout: time.Minute, OnError: hooks.Abort, When: hooks.Always, Hook: begin{&a.begun}}
		a.service = &dropship.Service{
			Name:   "web",
			Source: source,
			Site: install.New(install.Options{
				Destination: filepath.Join(home, "srv", "web"), Keep: 1, Archive: archive.Options{Format: archive.TarGzip, UID: -1, GID: -1},
			}),
			CheckInterval: time.Minute,
			Before:        hooks.Chain{step},
		}
		f.members = append(f.members, a)
	}
	return f, nil
}

// begin is a hook that does nothing but look at the clock.
type begin struct{ at *time.Time }

func (b begin) String() string { return "begin" }

func (b begin) Run(context.Context, hooks.Event) error {
	*b.at = time.Now()
	return nil
}

func fileSource(root, path string) (artifact.Source, error) {
	body := func(text string) hcl.Body {
		f, _ := hclsyntax.ParseConfig([]byte(text), "bench.hcl", hcl.InitialPos)
		return f.Body
	}
	repository, diags := file.New(body(fmt.Sprintf("root = %q", root)), nil)
	if diags.HasErrors() {
		return nil, diags
	}
	source, diags := repository.Source(body(fmt.Sprintf("path = %q", path)), nil)
	if diags.HasErrors() {
		return nil, diags
	}
	return source, nil
}

// errNotYet keeps an update from going on once it has staged.
var errNotYet = errors.New("not yet")

type closed struct{}

func (closed) String() string { return "closed" }

func (closed) Acquire(context.Context, lock.Request) (lock.Lease, error) { return nil, errNotYet }

// publish offers a new version, which every machine stages.
func (f *fleet) publish(ctx context.Context) error {
	f.versions++
	var b bytes.Buffer
	if err := (tarball{files: 2, size: 4 << 10, seed: uint64(f.versions)}).gzip()(&b); err != nil {
		return err
	}
	path := filepath.Join(f.dir, "web.tar.gz")
	if err := os.WriteFile(path+".new", b.Bytes(), 0o600); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	return f.each(func(a *member) error {
		a.service.Turn = &dropship.Turn{Locker: closed{}, Group: "web", Slots: 1}
		if _, err := a.service.Update(ctx, a.machine); !errors.Is(err, errNotYet) {
			return fmt.Errorf("%s did not come to its turn: %w", a.machine.Hostname, err)
		}
		return nil
	})
}

// rollOut has every machine update to what was published, all at once. It returns the seconds until the last one is
// done, and from each release of a slot to the first before hook of the machine that came next.
func (f *fleet) rollOut(ctx context.Context, slots int, newLocker func() (lock.Locker, error)) (whole float64, handOvers series, err error) {
	for _, a := range f.members {
		l, err := newLocker()
		if err != nil {
			return 0, nil, err
		}
		a.service.Turn = &dropship.Turn{Locker: a.timed(l), Group: "web", Slots: slots}
	}
	start := time.Now()
	err = f.each(func(a *member) error {
		r, err := a.service.Update(ctx, a.machine)
		for try := 1; try < 5 && err != nil && ctx.Err() == nil; try++ { // as an agent does, if Consul does not answer in time
			r, err = a.service.Update(ctx, a.machine)
		}
		if err == nil && r.Outcome != dropship.Updated {
			err = fmt.Errorf("%s: got outcome %q", a.machine.Hostname, r.Outcome)
		}
		return err
	})
	whole = time.Since(start).Seconds()
	// With so many slots the first releases are awaited by the first that had to wait.
	begun, given := f.times(func(a *member) time.Time { return a.begun }), f.times(func(a *member) time.Time { return a.given })
	for i := slots; i < len(begun); i++ {
		handOvers = append(handOvers, begun[i].Sub(given[i-slots]).Seconds())
	}
	return whole, handOvers, err
}

func (f *fleet) times(of func(*member) time.Time) []time.Time {
	all := make([]time.Time, len(f.members))
	for i, a := range f.members {
		all[i] = of(a)
	}
	slices.SortFunc(all, time.Time.Compare)
	return all
}

// each does it for all members at once, and returns one error of those there are.
func (f *fleet) each(do func(*member) error) error {
	errs := make([]error, len(f.members))
	var wg sync.WaitGroup
	for i, a := range f.members {
		wg.Go(func() { errs[i] = do(a) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// timed notes when the slots of l are given back.
func (a *member) timed(l lock.Locker) lock.Locker {
	if b, ok := l.(boardLocker); ok {
		return timedBoardLocker{b, &a.given}
	}
	return timedLocker{l, &a.given}
}

type boardLocker interface {
	lock.Locker
	lock.Board
}

type timedBoardLocker struct {
	boardLocker
	given *time.Time
}

func (t timedBoardLocker) Acquire(ctx context.Context, req lock.Request) (lock.Lease, error) {
	l, err := t.boardLocker.Acquire(ctx, req)
	if err != nil {
		return nil, err
	}
	return timedBoardLease{l.(lock.BoardLease), t.given}, nil
}

type timedBoardLease struct {
	lock.BoardLease
	given *time.Time
}

func (t timedBoardLease) Release(ctx context.Context) error {
	*t.given = time.Now()
	return t.BoardLease.Release(ctx)
}

type timedLocker struct {
	lock.Locker
	given *time.Time
}

func (t timedLocker) Acquire(ctx context.Context, req lock.Request) (lock.Lease, error) {
	l, err := t.Locker.Acquire(ctx, req)
	if err != nil {
		return nil, err
	}
	return timedLease{l, t.given}, nil
}

type timedLease struct {
	lock.Lease
	given *time.Time
}

func (t timedLease) Release(ctx context.Context) error {
	*t.given = time.Now()
	return t.Lease.Release(ctx)
}
