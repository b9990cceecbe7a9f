package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/dropship/dropship/dropship"
)

// A resuming is what came of a resume, for machines.
type resuming struct {
	Service string          `json:"service"`
	Paused  *dropship.Pause `json:"paused"` // the pause that ended; null: there was none
}

func (a *app) resumeCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "resume SERVICE…",
		Short: "End the pause of services",
		Long: `Resume ends what dropship pause began, and has the agent check at once. Exit code 0 also if there was no pause.

With --json the result is an array of objects: service, and paused, the pause that ended, or null.`,
		Args:              someServices,
		ValidArgsFunction: a.completeServices,
		RunE: func(cmd *cobra.Command, names []string) error {
			r := a.running()
			return r.explain(a.resume(cmd.Context(), r, names, asJSON))
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

func (a *app) resume(ctx context.Context, r *running, names []string, asJSON bool) error {
	services, err := r.choose(ctx, names)
	if err != nil {
		return err
	}
	done := []resuming{}
	for _, s := range services {
		p, err := r.Resume(ctx, s.Name, by())
		if err != nil {
			return fmt.Errorf("cannot resume %s: %w", s.Name, err)
		}
		done = append(done, resuming{s.Name, p})
		switch {
		case asJSON:
		case p == nil:
			fmt.Fprintf(a.stdout, "%s: was not paused\n", s.Name)
		default:
			fmt.Fprintf(a.stdout, "%s: resumed; it was %s\n", s.Name, dropship.Printable(p.String()))
		}
	}
	if asJSON {
		return printJSON(a.stdout, done)
	}
	return nil
}
