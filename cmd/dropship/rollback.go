package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/dropship/api"
)

// A rolledBack is what came of a rollback, for machines.
type rolledBack struct {
	Service      string           `json:"service"`
	Outcome      dropship.Outcome `json:"outcome,omitempty"` // empty: it failed before there was one
	UpdateID     string           `json:"update_id,omitempty"`
	Hash         string           `json:"hash,omitempty"` // at the destination now
	PreviousHash string           `json:"previous_hash,omitempty"`
	Took         dropship.Seconds `json:"took"`
	Error        string           `json:"error,omitempty"`
}

func (a *app) rollbackCommand() *cobra.Command {
	var asJSON bool
	var req dropship.RollbackRequest
	cmd := &cobra.Command{
		Use:   "rollback SERVICE",
		Short: "Put the previous release back, or another one that is kept",
		Long: `Rollback has the running agent put a release back that is kept on this machine: without --to the one before what is
installed, leaving out those that are quarantined. It is an update like any other, with a slot and through both chains,
whose hooks get the status "rollback". What was installed until then is quarantined, for the whole group of machines, so
that no check brings it back until dropship retry. A pause does not hinder it.

It waits for the end, and says on stderr how far it is. Ctrl-C (SIGINT), SIGTERM and SIGHUP give it up with nothing
changed; once its hooks have begun it is completed. A second one ends the command alone, and the agent goes on.

Exit code 1 if it failed or was given up, 2 if there is no such release, 3 if another process works on the service.
With --json the result is an array of one object: service, outcome, update_id, hash and previous_hash (at the
destination now, and before), took in seconds, and error.`,
		Args:              oneService,
		ValidArgsFunction: a.completeService,
		RunE: func(cmd *cobra.Command, names []string) error {
			if req.To == "" && cmd.Flags().Changed("to") {
				return errors.New("--to is empty: name a release, or leave --to out for the one before the current one")
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
			defer stop()
			defer context.AfterFunc(ctx, stop)() // a second one ends the process at once
			req.By = by()
			r := a.running()
			return r.explain(a.rollback(ctx, r, names[0], req, asJSON))
		},
	}
	cmd.Flags().StringVar(&req.To, "to", "", "the release with this `HASH`, or id, or its first characters (at least 4); dropship status SERVICE lists them")
	cmd.Flags().StringVar(&req.Reason, "reason", "", "why, as `TEXT` for the history and the other machines")
	jsonFlag(cmd, &asJSON)
	return cmd
}

func (a *app) rollback(ctx context.Context, r *running, name string, req dropship.RollbackRequest, asJSON bool) error {
	chosen, err := r.choose(ctx, []string{name})
	if err != nil {
		return err
	}
	// Followed beyond the end of ctx, to tell what came of it after a signal.
	following, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	events, err := r.Events(following, name)
	if err != nil {
		return err
	}
	if doing := chosen[0].Activity; doing != nil && doing.UpdateID != "" {
		a.progress(name, "%s %s is under way: if its hooks have begun it is completed first", doing.Status, doing.UpdateID)
	}
	f := &follower{begun: make(chan struct{}), ended: make(chan dropship.Event, 1)}
	go f.follow(events, req.By, func(text string) { a.progress(name, "%s", text) })

	result, err := r.Rollback(ctx, name, req)
	if errors.Is(err, api.ErrUnreachable) && f.hasBegun() {
		return &exitError{exitUnreachable, fmt.Errorf("what came of the rollback of %s is not known: the agent ended in the middle of it (%w); its next start completes or undoes it: dropship history %s", name, err, name)}
	}
	if err != nil && ctx.Err() != nil {
		a.progress(name, "told to stop: giving up, unless its hooks have begun")
		result, err = f.outcome()
	}
	if err == nil && result.PreviousHash != "" {
		a.progress(name, "%s is left alone from now on, until dropship retry %s", result.PreviousHash, name)
	}
	return a.printRollback(name, result, err, asJSON)
}

// progress says on stderr how far something is.
func (a *app) progress(name, format string, args ...any) {
	fmt.Fprintln(a.stderr, name+":", dropship.Printable(fmt.Sprintf(format, args...)))
}

func (a *app) printRollback(name string, result dropship.Result, err error, asJSON bool) error {
	if err != nil {
		err = fmt.Errorf("cannot roll back %s: %w", name, err)
	}
	if asJSON {
		rb := rolledBack{
			Service: name, Outcome: result.Outcome, UpdateID: result.UpdateID,
			Hash: result.Hash, PreviousHash: result.PreviousHash, Took: dropship.Seconds(result.Took),
		}
		if err != nil {
			rb.Error = err.Error()
		}
		return cmp.Or(printJSON(a.stdout, []rolledBack{rb}), err)
	}
	switch at := cmp.Or(result.Hash, "what was there"); {
	case err == nil:
		fmt.Fprintf(a.stdout, "%s: rolled back from %s to %s in %s\n", name,
			cmp.Or(result.PreviousHash, "a hash that is not known"), at, took(dropship.Seconds(result.Took)))
	case result.Outcome == "", result.Outcome == dropship.GivenUp, result.Outcome == dropship.Abandoned:
		fmt.Fprintf(a.stdout, "%s: not rolled back: nothing changed\n", name)
	case result.Outcome == dropship.RolledBack:
		fmt.Fprintf(a.stdout, "%s: not rolled back: that failed, and %s is back\n", name, at)
	default:
		fmt.Fprintf(a.stdout, "%s: not rolled back: %s, with %s at the destination\n", name, result.Outcome, at)
	}
	return err
}
