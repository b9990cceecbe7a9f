package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
)

func (a *app) planCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "plan [SERVICE…]",
		Short: "Show what apply would do, and change nothing",
		Long: `Plan asks each service's repository what it holds and shows what an update would do: revisions, bytes to
download, hooks in order, slot. It takes no slot and writes nothing. Exit code 1 if a service cannot be planned.`,
		ValidArgsFunction: a.completeServices,
		RunE:              func(cmd *cobra.Command, names []string) error { return a.plan(cmd.Context(), names) },
	}
}

func (a *app) plan(ctx context.Context, names []string) error {
	logger, err := a.logger()
	if err != nil {
		return err
	}
	m, services, err := a.chosen(logger, names)
	if err != nil {
		return err
	}
	failed := 0
	for _, s := range services {
		p, err := s.Plan(ctx, m)
		printPlan(a.stdout, p, err)
		if err != nil {
			failed++
		}
	}
	if failed > 0 {
		return &exitError{exitFailed, fmt.Errorf("cannot plan %s", count(failed, "service"))}
	}
	return nil
}

// printPlan writes a plan in lines of a name and a value.
func printPlan(w io.Writer, p dropship.Plan, err error) {
	s := p.Service
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "  %-12s %s\n", name, fmt.Sprintf(format, args...))
	}
	switch {
	case err != nil:
		fmt.Fprintf(w, "%s: cannot be updated\n", s.Name)
	case p.Outcome == dropship.Updated && !p.Present:
		fmt.Fprintf(w, "%s: would be installed\n", s.Name)
	case p.Outcome == dropship.Updated:
		fmt.Fprintf(w, "%s: would be updated\n", s.Name)
	default:
		fmt.Fprintf(w, "%s: %s\n", s.Name, p.Outcome)
	}
	line("artifact", "%s", s.Source)
	line("destination", "%s", s.Site.Destination())
	line("installed", "%s", installed(p))
	if p.Stopped != nil {
		line("interrupted", "update %s to %s is completed or undone first", p.Stopped.UpdateID, p.Stopped.To.Hash)
	}
	if p.Left != nil {
		line("unfinished", "%s, of update %s: %s", strings.Join(p.Left.Names(), ", "), p.Left.Update.UpdateID, p.Left.Error)
	}
	if p.Remote.Revision != "" {
		line("repository", "%s (revision %s)", cmp.Or(p.Remote.MD5, "md5 not known before the download"), p.Remote.Revision)
	}
	if p.Reason != "" {
		line("reason", "%s", p.Reason)
	}
	if err != nil {
		line("error", "%v", err)
		return
	}
	if p.Outcome != dropship.Updated {
		return
	}
	switch {
	case p.Fetch < 0:
		line("download", "size not known")
	case p.Fetch == 0 && p.Remote.Size != 0:
		line("download", "nothing: staged already")
	default:
		line("download", "%d bytes", p.Fetch)
	}
	if s.Turn != nil {
		line("slot", "one of %d in group %s, from %s", s.Turn.Slots, s.Turn.Group, s.Turn.Locker)
	}
	printChain(w, "before", s.Before)
	line("switch", "%s", s.Site.Destination())
	printChain(w, "after", s.After)
	if s.Turn != nil && s.UpdateTTL > 0 {
		line("hold", "the slot for %s", s.UpdateTTL)
	}
}

func printChain(w io.Writer, phase string, chain hooks.Chain) {
	for _, step := range chain {
		var policy []string
		if step.When != hooks.Always {
			policy = append(policy, "on "+string(step.When))
		}
		if step.OnError == hooks.Continue {
			policy = append(policy, "errors ignored")
		}
		suffix := ""
		if len(policy) > 0 {
			suffix = " (" + strings.Join(policy, ", ") + ")"
		}
		fmt.Fprintf(w, "  %-12s %s%s\n", phase, step, suffix)
	}
}

func installed(p dropship.Plan) string {
	switch {
	case !p.Present:
		return "nothing"
	case p.Installed == nil || p.Installed.Hash == "":
		return "something that dropship did not install: it would be moved aside and kept"
	case p.Installed.At.IsZero():
		return p.Installed.Hash
	default:
		return fmt.Sprintf("%s (since %s)", p.Installed.Hash, p.Installed.At.Local().Format("2006-01-02 15:04:05 MST"))
	}
}
