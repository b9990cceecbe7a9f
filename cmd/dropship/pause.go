package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dropship/dropship/dropship"
)

// A pausing is what came of a pause, for machines.
type pausing struct {
	Service  string          `json:"service"`
	Paused   *dropship.Pause `json:"paused"`
	Updating bool            `json:"updating"` // an update whose hooks have begun is completed
}

func (a *app) pauseCommand() *cobra.Command {
	var asJSON bool
	var reason, until string
	var length time.Duration
	cmd := &cobra.Command{
		Use:   "pause SERVICE… --reason TEXT",
		Short: "Keep services from being updated until they are resumed",
		Long: `Pause has the running agent install nothing for the named services until dropship resume, or until a time that is
given. It outlives the agent, replaces a pause that there is, and stands in every status with the person who asked for
it. Checks go on; an update that waits for its slot gives up its place, one whose hooks have begun is completed.
dropship rollback works all the same; dropship apply leaves a paused service alone, too.

--until takes "2006-01-02 15:04" and "15:04" (the next time that the clock shows this) in local time, and RFC 3339.
With --json the result is an array of objects: service, paused (by, reason, since, until), and updating, which is true
where an update is completed first.`,
		Args:              someServices,
		ValidArgsFunction: a.completeServices,
		RunE: func(cmd *cobra.Command, names []string) error {
			if strings.TrimSpace(reason) == "" {
				return fmt.Errorf("pause needs --reason: whoever finds the service paused has to know why")
			}
			if until == "" && cmd.Flags().Changed("until") || length == 0 && cmd.Flags().Changed("for") {
				return errors.New("--until and --for need a time to come; without them the pause has no end")
			}
			p := dropship.Pause{By: by(), Reason: reason}
			var err error
			if p.Until, err = pauseEnd(until, length, time.Now()); err != nil {
				return err
			}
			r := a.running()
			return r.explain(a.pause(cmd.Context(), r, names, p, asJSON))
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, as `TEXT` for whoever finds it paused; required")
	cmd.Flags().StringVar(&until, "until", "", "resume at this `TIME` by itself")
	cmd.Flags().DurationVar(&length, "for", 0, "resume after this `DURATION` by itself, as in 90m")
	cmd.MarkFlagsMutuallyExclusive("until", "for")
	jsonFlag(cmd, &asJSON)
	return cmd
}

func (a *app) pause(ctx context.Context, r *running, names []string, p dropship.Pause, asJSON bool) error {
	services, err := r.choose(ctx, names)
	if err != nil {
		return err
	}
	done := []pausing{}
	for _, s := range services {
		updating, err := r.Pause(ctx, s.Name, p)
		if err != nil {
			return fmt.Errorf("cannot pause %s: %w", s.Name, err)
		}
		if !asJSON {
			fmt.Fprintf(a.stdout, "%s: %s\n", s.Name, pausedLine(p, updating))
			continue
		}
		now, err := r.Status(ctx, s.Name)
		if err != nil {
			return err
		}
		done = append(done, pausing{s.Name, now.Paused, updating})
	}
	if asJSON {
		return printJSON(a.stdout, done)
	}
	return nil
}

func pausedLine(p dropship.Pause, updating bool) string {
	text := "paused until it is resumed"
	if !p.Until.IsZero() {
		text = "paused until " + dropship.LocalTime(p.Until)
	}
	if updating {
		text += "; the update whose hooks have begun is completed"
	}
	return text
}

// pauseEnd returns when a pause ends by itself; zero: it does not.
func pauseEnd(until string, length time.Duration, now time.Time) (time.Time, error) {
	switch {
	case length < 0:
		return time.Time{}, fmt.Errorf("--for %s is no time to come", length)
	case length > 0:
		return now.Add(length), nil
	case until == "":
		return time.Time{}, nil
	}
	end, err := parseTime(until, now)
	if err != nil {
		return time.Time{}, err
	}
	if !end.After(now) {
		return time.Time{}, fmt.Errorf("--until %q is over", until)
	}
	return end, nil
}

func parseTime(text string, now time.Time) (time.Time, error) {
	if t, err := time.ParseInLocation("15:04", text, now.Location()); err == nil {
		t = time.Date(now.Year(), now.Month(), now.Day(), t.Hour(), t.Minute(), 0, 0, now.Location())
		if !t.After(now) {
			t = t.AddDate(0, 0, 1)
		}
		return t, nil
	}
	if t, err := time.ParseInLocation("2006-01-02 15:04", text, now.Location()); err == nil {
		return t, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fmt.Errorf(`--until %q is no time: write "15:04", "2006-01-02 15:04" or "2006-01-02T15:04:05Z"`, text)
	}
	return t, nil
}
