package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/dropship/dropship/dropship"
)

func (a *app) checkCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check SERVICE…",
		Short: "Have the agent check services now",
		Long: `Check has the running agent ask the repositories of the named services now, whatever is due. It says what came of it,
and does not wait for an update that begins: dropship status shows how far that is. What is held back after failures
stays so; dropship retry has it tried. An update that waits for its slot keeps its place in line.

Exit code 1 if a service could not be checked. With --json the result is an array of one event for each service, as
GET /v1/events tells them: of type "checked", or "update-begun".`,
		Args:              someServices,
		ValidArgsFunction: a.completeServices,
		RunE: func(cmd *cobra.Command, names []string) error {
			r := a.running()
			return r.explain(a.check(cmd.Context(), r, names, asJSON))
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

func (a *app) check(ctx context.Context, r *running, names []string, asJSON bool) error {
	services, err := r.choose(ctx, names)
	if err != nil {
		return err
	}
	events := []dropship.Event{}
	failed := 0
	for _, s := range services {
		e, err := r.Check(ctx, s.Name)
		if err != nil {
			return fmt.Errorf("cannot check %s: %w", s.Name, err)
		}
		events = append(events, e)
		if e.Error != "" {
			failed++
		}
		if !asJSON {
			fmt.Fprintf(a.stdout, "%s: %s\n", s.Name, dropship.Printable(checkedLine(e)))
		}
	}
	if asJSON {
		err = printJSON(a.stdout, events)
	}
	if err == nil && failed > 0 {
		err = &exitError{exitFailed, fmt.Errorf("cannot check, or update, %s: dropship why SERVICE says what would change it", count(failed, "service"))}
	}
	return err
}

// checkedLine says what came of a check.
func checkedLine(e dropship.Event) string {
	switch {
	case e.Type == dropship.UpdateBegun:
		return fmt.Sprintf("%s %s to %s has begun", e.Status, e.UpdateID, cmp.Or(e.Hash, "a hash that the download will tell"))
	case e.Error != "":
		return e.Error
	case e.Outcome == dropship.Quarantine:
		held := "what the repository holds"
		if e.Remote != nil && e.Remote.Hash != "" {
			held = e.Remote.Hash
		}
		return fmt.Sprintf("%s is quarantined, still at %s", held, cmp.Or(e.Hash, "nothing"))
	default:
		return fmt.Sprintf("%s (%s)", e.Outcome, cmp.Or(e.Hash, "nothing installed"))
	}
}
