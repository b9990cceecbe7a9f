package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/dropship/dropship/dropship"
)

func (a *app) whyCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "why SERVICE",
		Short: "Say why a service is not at its repository's hash now",
		Long: `Why gives one reason, on one line: the first that has to be seen to. A second line says what would change it.
Where the service is up to date the first line says so, and there is no second one.

With --json it is an array of one reason: code is one word for programs, text and remedy are the two lines, since is
when it began, and until is when it changes by itself, where that is known.`,
		Args:              oneService,
		ValidArgsFunction: a.completeService,
		RunE: func(cmd *cobra.Command, names []string) error {
			r := a.running()
			return r.explain(a.why(cmd.Context(), r, names[0], asJSON))
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

func (a *app) why(ctx context.Context, r *running, name string, asJSON bool) error {
	reason, err := r.Why(ctx, name)
	if errors.Is(err, dropship.ErrUnknownService) {
		_, err = r.choose(ctx, []string{name}) // says which there are
	}
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(a.stdout, []dropship.Reason{reason})
	}
	a.sentence("", reason.Text)
	if reason.Remedy != "" {
		a.sentence("To change it: ", reason.Remedy)
	}
	return nil
}
