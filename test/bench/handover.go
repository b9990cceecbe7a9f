package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/dropship/dropship/lock"
	"github.com/dropship/dropship/lock/consul"
)

// handOver is what it takes to update a fleet one machine after the other.
var handOver = figure{
	name:  "hand-over",
	title: "Hand-over of the slot",
	about: "N machines in one process, each with its own state and destination, take their turns through a real Consul, to\n" +
		"install 4 KiB with hooks that do nothing. *Hand-over* is the time from the moment at which a machine begins to give\n" +
		"its slot back to the first before hook of the next one. *Roll-out* is the time until all N are done, from the check\n" +
		"to the end of the update; each has staged before, which in a fleet they do side by side. *Turns* is the same with\n" +
		"nothing but the lock: take the slot, check it, give it back. The alternative is `api.Semaphore` of Consul's Go\n" +
		"client, as the locker of the same machines, without the board of quarantines and the check before the switch, which\n" +
		"it does not have. Requests are counted in a round of their own, by a proxy before Consul. All files are in memory,\n" +
		"if there is /dev/shm: a thousand machines have a thousand disks. Consul keeps its data in memory, too.",
	run: measureHandOver,
}

const (
	handOverGoal = 0.010 // seconds
	requestGoal  = 10
	rollOutGoal  = 0.1
	goalAt       = 200 // machines
	// It wakes all at each release, so what it asks grows with the square of the machines.
	semaphoreMost    = 200 // machines
	semaphoreCounted = 50
)

// A rollOut is one size of the figure.
type rollOut struct{ machines, slots int }

func measureHandOver(ctx context.Context, b *bench) (rows []row, err error) {
	server, err := b.startConsul(ctx)
	if err != nil {
		return nil, err
	}
	defer server.stop()
	sizes := []rollOut{{10, 1}, {50, 1}, {200, 1}, {10, 5}, {50, 5}, {200, 5}, {1000, 1}, {1000, 5}}
	turns := []rollOut{{10, 1}, {50, 1}}
	if b.quick {
		sizes, turns = []rollOut{{4, 1}, {8, 5}}, []rollOut{{4, 1}}
	}
	for _, size := range sizes {
		b.logf("%d machines, %d slots", size.machines, size.slots)
		more, err := b.rollOuts(ctx, server, size)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	for _, size := range turns {
		b.logf("turns of %d machines, %d slots", size.machines, size.slots)
		more, err := b.turns(ctx, server, size)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more)
	}
	return rows, nil
}

// memory returns a directory in memory where there is one, else the figure's.
func (b *bench) memory() (dir string, remove func() error, err error) {
	dir, err = os.MkdirTemp("/dev/shm", "dropship-bench-")
	if errors.Is(err, os.ErrNotExist) {
		dir, err = os.MkdirTemp(b.dir, "fleet-")
	}
	return dir, func() error { return os.RemoveAll(dir) }, err
}

// rollOuts measures whole updates.
func (b *bench) rollOuts(ctx context.Context, server *consulServer, size rollOut) (rows []row, err error) {
	dir, remove, err := b.memory()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	f, err := newFleet(dir, size.machines)
	if err != nil {
		return nil, err
	}
	var gaps, computed [2]series // the median of each round, and the seconds of CPU time for each machine
	race := func(i int, name string, l func() (lock.Locker, error)) contender {
		return contender{name: name, prepare: f.publish, run: func(ctx context.Context) (float64, error) {
			before, err := server.cpu()
			if err != nil {
				return 0, err
			}
			whole, handOvers, err := f.rollOut(ctx, size.slots, l)
			if err != nil {
				return 0, err
			}
			after, err := server.cpu()
			b.logf("  %s: %.3g s, hand-over %.3g ms", name, whole, handOvers.median()*1000)
			gaps[i] = append(gaps[i], handOvers.median())
			computed[i] = append(computed[i], (after-before).Seconds()/float64(size.machines))
			return whole, err
		}}
	}
	contenders := []contender{race(0, "Dropship", func() (lock.Locker, error) { return consulLocker(server.address) })}
	if size.machines <= semaphoreMost && (size.slots == 1 || size.machines <= semaphoreCounted) {
		contenders = append(contenders, race(1, "api.Semaphore", func() (lock.Locker, error) { return semaphore{server.address, "semaphores"}, nil }))
	}
	rounds := b.rounds
	if size.machines > semaphoreMost {
		rounds = 1 // which has a thousand hand-overs, and nobody takes turns with it
	}
	all, err := interleave(ctx, rounds, contenders...)
	if err != nil {
		return nil, err
	}
	for i := range gaps {
		gaps[i] = gaps[i][max(0, len(gaps[i])-rounds):] // without the round that does not count
		computed[i] = computed[i][max(0, len(computed[i])-rounds):]
	}
	requests, err := f.count(ctx, server, size, func(address string) (lock.Locker, error) { return consulLocker(address) })
	if err != nil {
		return nil, err
	}
	what := fmt.Sprintf("%d machines, %s: ", size.machines, slotsText(size.slots))
	gap := row{what: what + "hand-over", ours: gaps[0].seconds()}
	whole := row{what: what + "roll-out", ours: all[0].seconds()}
	load := row{
		what: what + "requests to Consul a machine", ours: fmt.Sprintf("%.1f", requests.each),
		goal: fmt.Sprint("≤ ", requestGoal), met: requests.each <= requestGoal,
	}
	if requests.renewals > 0 {
		load.note = fmt.Sprintf("And %.1f renewals of the session a machine, one in 20 s: they depend on time, and not on the line.", requests.renewals)
	}
	if size.machines >= goalAt && size.slots == 1 || b.quick {
		read, write, err := server.roundTrips(ctx, size.machines-1)
		if err != nil {
			return nil, err
		}
		gap.note = fmt.Sprintf("With %d blocking queries open, one consistent read of Consul takes %s, and one transaction that writes %s. A hand-over is two such transactions.",
			size.machines-1, read.seconds(), write.seconds())
	}
	if len(all) > 1 {
		gap.against, gap.theirs, gap.ratio = "api.Semaphore", gaps[1].seconds(), gaps[0].over(gaps[1])
		whole.against, whole.theirs, whole.ratio = "api.Semaphore", all[1].seconds(), all[0].over(all[1])
	} else {
		whole.note = "api.Semaphore is left out: it wakes every machine at each release, so its requests grow with the square of their number, and a round would take many minutes."
	}
	if len(all) > 1 && size.machines <= semaphoreCounted {
		theirs, err := f.count(ctx, server, size, func(address string) (lock.Locker, error) { return semaphore{address, "counted"}, nil })
		if err != nil {
			return nil, err
		}
		load.against, load.theirs, load.ratio = "api.Semaphore", fmt.Sprintf("%.1f", theirs.each), requests.each/theirs.each
	}
	if size.machines == goalAt && size.slots == 1 {
		gap.goal, gap.met = fmt.Sprintf("≤ %g ms", handOverGoal*1000), gaps[0].median() <= handOverGoal
		whole.ratioGoal, whole.met = fmt.Sprint("≤ ", rollOutGoal), whole.ratio <= rollOutGoal
		whole.note = fmt.Sprintf("A turn takes %.1f ms. For each machine this process and Consul compute %s, on %d cores; with api.Semaphore %s.",
			1000*all[0].median()/float64(size.machines), computed[0].seconds(), runtime.NumCPU(), computed[1].seconds())
	}
	return []row{gap, whole, load}, nil
}

type load struct{ each, renewals float64 }

// count has the fleet roll out through a proxy that counts.
func (f *fleet) count(ctx context.Context, server *consulServer, size rollOut, newLocker func(address string) (lock.Locker, error)) (load, error) {
	if err := f.publish(ctx); err != nil {
		return load{}, err
	}
	c := server.counter()
	defer c.close()
	if _, _, err := f.rollOut(ctx, size.slots, func() (lock.Locker, error) { return newLocker(c.address) }); err != nil {
		return load{}, err
	}
	n := float64(size.machines)
	return load{float64(c.requests.Load()) / n, float64(c.renewals.Load()) / n}, nil
}

// turns measures the locks alone.
func (b *bench) turns(ctx context.Context, server *consulServer, size rollOut) (row, error) {
	run := func(newLocker func() (lock.Locker, error)) func(ctx context.Context) (float64, error) {
		return func(ctx context.Context) (float64, error) {
			errs := make([]error, size.machines)
			start := time.Now()
			var wg sync.WaitGroup
			for i := range size.machines {
				wg.Go(func() { errs[i] = turn(ctx, newLocker, size.slots, i) })
			}
			wg.Wait()
			return time.Since(start).Seconds(), errors.Join(errs...)
		}
	}
	all, err := interleave(ctx, b.rounds,
		contender{name: "Dropship", run: run(func() (lock.Locker, error) { return consulLocker(server.address) })},
		contender{name: "api.Semaphore", run: run(func() (lock.Locker, error) { return semaphore{server.address, "turns"}, nil })})
	if err != nil {
		return row{}, err
	}
	return row{
		what: fmt.Sprintf("%d machines, %s: turns", size.machines, slotsText(size.slots)),
		ours: all[0].seconds(), against: "api.Semaphore", theirs: all[1].seconds(), ratio: all[0].over(all[1]),
	}, nil
}

func turn(ctx context.Context, newLocker func() (lock.Locker, error), slots, i int) error {
	l, err := newLocker()
	if err != nil {
		return err
	}
	lease, err := l.Acquire(ctx, lock.Request{Group: "turns", Slots: slots, Holder: lock.Holder{
		Host: fmt.Sprint("web-", i), PID: os.Getpid(), Service: "web", Hash: "0cc175b9c0f1b6a831c399e269772661", UpdateID: "bench",
	}})
	if err != nil {
		return err
	}
	return errors.Join(lease.Check(ctx), lease.Release(ctx))
}

// sessionTTL is longer than the default, since a thousand machines and their Consul share a few cores here.
const sessionTTL = "60s"

// consulLocker returns a locker as a lock "consul" block makes it.
func consulLocker(address string) (lock.Locker, error) {
	f, _ := hclsyntax.ParseConfig([]byte("ttl = \""+sessionTTL+"\""), "bench.hcl", hcl.InitialPos)
	l, diags := consul.New(consul.Connection{Address: address}, f.Body, nil)
	if diags.HasErrors() {
		return nil, diags
	}
	return l, nil
}

func slotsText(n int) string {
	if n == 1 {
		return "1 slot"
	}
	return fmt.Sprint(n, " slots")
}
