package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
)

// logsLimit is how many updates are shown, unless one is named.
const logsLimit = 3

func (a *app) logsCommand() *cobra.Command {
	var asJSON bool
	var id string
	cmd := &cobra.Command{
		Use:   "logs SERVICE",
		Short: "Show the last updates step by step, with the output of each hook",
		Long: `Logs shows the last three updates of a service, the newest at the end: each step and each hook, how long it took, what
the hook printed (the last 16 KiB of it) and why it failed. --update shows one of those that dropship history lists, by
the beginning or the end of its id.

With --json it is an array of what GET /v1/services/NAME/history answers.`,
		Args:              oneService,
		ValidArgsFunction: a.completeService,
		RunE: func(cmd *cobra.Command, names []string) error {
			r := a.running()
			return r.explain(a.logs(cmd.Context(), r, names[0], id, asJSON))
		},
	}
	cmd.Flags().StringVar(&id, "update", "", "show the update with this `ID` alone")
	jsonFlag(cmd, &asJSON)
	return cmd
}

func (a *app) logs(ctx context.Context, r *running, name, id string, asJSON bool) error {
	limit := logsLimit
	if id != "" {
		limit = 0
	}
	records, err := r.records(ctx, name, limit)
	if err != nil && len(records) == 0 {
		return err
	}
	if id != "" {
		records = slices.DeleteFunc(records, func(u dropship.Record) bool {
			return !strings.HasPrefix(u.UpdateID, id) && !strings.HasSuffix(u.UpdateID, id)
		})
		if len(records) == 0 {
			return &exitError{exitUsage, fmt.Errorf("no update of %s whose id begins or ends with %q is remembered: dropship history %s lists them", name, id, name)}
		}
	}
	slices.Reverse(records)
	if asJSON {
		return cmp.Or(printJSON(a.stdout, records), err)
	}
	p := a.page()
	if len(records) == 0 {
		fmt.Fprintf(p.w, "no update of %s is remembered\n", name)
	}
	for i, u := range records {
		if i > 0 {
			fmt.Fprintln(p.w)
		}
		p.update(u)
	}
	return err
}

// update writes what is known of a past update.
func (p page) update(u dropship.Record) {
	color := ""
	if u.Error != "" {
		color = red
	}
	p.hang("", color, fmt.Sprintf("%s %s: %s in %s", u.Status, u.UpdateID, result(u), took(u.Took)))
	p.line("to", "%s", cmp.Or(u.Hash, "a hash that was not known yet"))
	p.line("began", "%s", dropship.LocalTime(u.Started))
	if u.By != "" {
		p.line("asked for", "by %s", u.By)
	}
	if u.Reason != "" {
		p.line("reason", "%s", u.Reason)
	}
	if u.Recovered {
		p.line("recovered", "another process began it, and was killed")
	}
	p.line("before it", "%s", cmp.Or(u.PreviousHash, "nothing"))
	p.line("installed", "%s", cmp.Or(u.Installed, "nothing"))
	p.course(u)
	if u.Error != "" {
		p.line("error", "%s", u.Error)
	}
}

// course writes the steps of an update, each with its hooks.
func (p page) course(u dropship.Record) {
	type part struct {
		began time.Time
		write func()
	}
	var parts []part
	for _, s := range u.Steps {
		parts = append(parts, part{s.Started, func() {
			how := ""
			if s.Error != "" { // which the error of its hook, or of the update, says
				how = "failed after "
			}
			p.line("step", "%s, %s%s", s.Step, how, took(s.Took))
		}})
	}
	for _, h := range u.Hooks {
		parts = append(parts, part{h.Started, func() {
			as := ""
			if h.Status != u.Status && h.Status != "" {
				as = fmt.Sprintf("(%s) ", h.Status)
			}
			p.line(fmt.Sprintf("%s %d", h.Phase, h.Index+1), "%s%s", as, hookEnd(h))
			for line := range strings.Lines(h.Output) {
				fmt.Fprintf(p.w, "  %-*s | %s\n", nameWidth, "", strings.TrimRight(dropship.Printable(line), " "))
			}
		}})
	}
	// A step began before its hooks, and of those that began at once it comes first.
	slices.SortStableFunc(parts, func(x, y part) int { return x.began.Compare(y.began) })
	for _, part := range parts {
		part.write()
	}
}

// hookEnd says how a hook went.
func hookEnd(h dropship.HookRecord) string {
	if h.Error == "" {
		return fmt.Sprintf("%s, %s", h.Name, took(h.Took))
	}
	step := hooks.StepError{Phase: h.Phase, Index: h.Index, Hook: h.Name, Err: errors.New("")}
	return fmt.Sprintf("%s, failed after %s: %s", h.Name, took(h.Took), strings.TrimPrefix(h.Error, step.Error()))
}
