package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dropship/dropship/dropship"
)

func (a *app) historyCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "history SERVICE",
		Short: "Show past updates: when, hash, result, duration, who, error",
		Long: `History lists what the agent remembers of the updates of a service, the last 50, newest first: when each began in local
time, the end of its id, the first characters of the hash that it was to install, what came of it, how long it took,
and the person who asked for it; nobody did where there was something new. Below one that failed stands why, as far as
the line goes. What each hook printed is in dropship logs.

With --json it is an array of what GET /v1/services/NAME/history answers.`,
		Args:              oneService,
		ValidArgsFunction: a.completeService,
		RunE: func(cmd *cobra.Command, names []string) error {
			r := a.running()
			return r.explain(a.history(cmd.Context(), r, names[0], asJSON))
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

func (a *app) history(ctx context.Context, r *running, name string, asJSON bool) error {
	records, err := r.records(ctx, name, 0)
	if err != nil && len(records) == 0 {
		return err
	}
	if asJSON {
		return cmp.Or(printJSON(a.stdout, records), err)
	}
	a.page().history(name, records)
	return err
}

// records returns the last updates of a service, newest first. Beside an error it returns those that could be read.
func (r *running) records(ctx context.Context, name string, limit int) ([]dropship.Record, error) {
	if _, err := r.choose(ctx, []string{name}); err != nil {
		return nil, err
	}
	return r.History(ctx, name, limit)
}

func (p page) history(name string, records []dropship.Record) {
	if len(records) == 0 {
		fmt.Fprintf(p.w, "no update of %s is remembered\n", name)
		return
	}
	t := table{head: []string{"WHEN", "UPDATE", "HASH", "RESULT", "TOOK", "WHO"}}
	for _, u := range records {
		r := row{
			cells: []string{
				u.Started.Local().Format(time.DateTime), u.UpdateID[strings.LastIndex(u.UpdateID, "-")+1:],
				shortHash(cmp.Or(u.Hash, "unknown")), result(u), took(u.Took), cmp.Or(u.By, "-"),
			},
			note: shorten(cmp.Or(u.Error, u.Reason)),
		}
		if u.Error != "" {
			r.color = red
		}
		t.rows = append(t.rows, r)
	}
	p.table(t)
}

// result says in a few words what came of an update.
func result(u dropship.Record) string {
	switch {
	case u.Recovered && u.Outcome == dropship.Recovered && u.Error != "":
		return "undone after a kill"
	case u.Recovered && u.Outcome == dropship.Recovered:
		return "done after a kill"
	case u.Times > 1:
		return fmt.Sprintf("%s ×%d", u.Outcome, u.Times)
	default:
		return string(u.Outcome)
	}
}

// took is a duration, as exact as people want it.
func took(s dropship.Seconds) string {
	d := time.Duration(s)
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	default:
		return d.Round(time.Second).String()
	}
}
