package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dropship/dropship/test/power"
)

// powerFaults cut the power of a machine whose destination and state are on disks of its own.
func powerFaults() []Fault {
	steps := []string{"stage", "before", "switch", "after", "rollback", "recovery"}
	var all []Fault
	for _, f := range []power.FileSystem{power.Ext4, power.XFS} {
		all = append(all, Fault{Name: "power loss, " + f.Name, Steps: steps, Round: func(ctx context.Context, r *Round) (Seen, error) {
			return onDisks(ctx, r, power.Options{FileSystem: f, TwoDisks: r.Number%2 == 1}, shutDown)
		}})
	}
	return append(all, Fault{Name: "lost write cache", Steps: steps, Round: func(ctx context.Context, r *Round) (Seen, error) {
		// 24 rounds have them all. Persistent paths leave a gap of their own where two names cannot be exchanged.
		systems := []power.FileSystem{power.Ext4, power.XFS, power.Btrfs}
		return onDisks(ctx, r, power.Options{
			FileSystem: systems[r.Number%3], TwoDisks: r.Number/3%2 == 0,
			TwoRenames: r.Number/6%4 == 1, Persist: r.Number/6%4 == 2,
		}, loseCache)
	}})
}

// onDisks plays one story on a new machine.
func onDisks(ctx context.Context, r *Round, o power.Options, play func(context.Context, *Round, *power.Machine, power.Story) (power.Release, error)) (seen Seen, err error) {
	o.Dir, o.Binary = r.Dir, r.Binary
	s := power.Story{Old: power.NewRelease("one", false), New: power.NewRelease("two", false), Next: power.NewRelease("three", false)}
	s.Interrupted = r.Step == "recovery"
	if r.Step == "rollback" {
		s.New, s.Broken = power.NewRelease("two", true), true
	}
	if o.Persist {
		s.Old, s.New, s.Next = s.Old.Keeping("mine"), s.New.Keeping("mine"), s.Next.Keeping("mine")
	}
	m, err := power.NewMachine(ctx, o)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, m.Close(context.WithoutCancel(ctx))) }()
	at, err := play(ctx, r, m, s)
	switch at.Version {
	case s.Old.Version:
		seen = Old
	case s.New.Version:
		seen = New
	default:
		seen = Absent
	}
	return seen, err
}

// shutDown stops the file systems while dropship works on them.
func shutDown(ctx context.Context, r *Round, m *power.Machine, s power.Story) (power.Release, error) {
	after, within := "", 20*time.Millisecond
	switch r.Step {
	case "before":
		after, within = "before stop update", time.Millisecond
	case "switch":
		after, within = "before stop update", 5*time.Millisecond
	case "after":
		after = "after start update"
	case "rollback":
		after = "before stop rollback"
	}
	return m.ShutDownIn(ctx, s, after, time.Duration(r.Rand.Int64N(int64(within))))
}

// loseCache records the story once, and looks at a few of the disks that a power loss in the step can leave.
func loseCache(ctx context.Context, r *Round, m *power.Machine, s power.Story) (power.Release, error) {
	l, err := m.Tell(ctx, &s, r.Number%2 == 1)
	if err != nil {
		return power.Release{}, err
	}
	var cuts []power.Cut
	for _, c := range l.Cuts() {
		if s.Interrupted || stepOf(c) == r.Step {
			cuts = append(cuts, c)
		}
	}
	if len(cuts) == 0 {
		return power.Release{}, fmt.Errorf("no flush and no event in step %s", r.Step)
	}
	var seen power.Release
	for i := range 6 {
		if seen, err = m.Try(ctx, l, s, cuts[r.Rand.IntN(len(cuts))], r.Rand, i%3 == 2); err != nil {
			return seen, err
		}
	}
	return seen, nil
}

// stepOf tells by what the world was told at which step of an update it was.
func stepOf(c power.Cut) string {
	switch last := c.LastEvent(); {
	case last.Phase == "":
		return "stage"
	case last.Status == "rollback":
		return "rollback"
	case last.Phase != "before":
		return "after"
	case c.OnEvent:
		return "before"
	default:
		return "switch"
	}
}
