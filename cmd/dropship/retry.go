package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/dropship/api"
	"github.com/dropship/dropship/lock"
)

// A retried is what came of a retry, for machines.
type retried struct {
	Service     string                 `json:"service"`
	Quarantined []dropship.Quarantined `json:"quarantined"` // what was, and may be tried again
	Error       string                 `json:"error,omitempty"`
}

func (a *app) retryCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "retry SERVICE…",
		Short: "Let a hash that was rolled back be tried again",
		Long: `Retry ends the quarantine of the named services, on this machine and, where their machines take turns through
Consul, for the whole group: what the repository holds is tried again, one machine first. What is held back here after
failures is tried again, too. The running agent checks at once, the other machines at their next check. Where no agent
runs, retry changes what the next one, or dropship apply, goes by.

Exit code 0 also if nothing was quarantined, 1 if Consul did not answer or refused, and 3 if another process checks
the service, waits for its turn or updates it, for more than twelve seconds. With 1 and 3 nothing is changed on this
machine. With --json the result is an array of objects: service, quarantined (what was, as status has it), and error.`,
		Args:              someServices,
		ValidArgsFunction: a.completeServices,
		RunE: func(cmd *cobra.Command, names []string) error {
			logger, err := a.logger()
			if err != nil {
				return err
			}
			r := a.running()
			services, err := r.choose(cmd.Context(), names)
			if errors.Is(err, api.ErrUnreachable) && a.socket == "" {
				return a.retryOffline(cmd.Context(), logger, names, asJSON)
			}
			if err != nil {
				return r.explain(err)
			}
			return a.retry(services, func(name string) ([]dropship.Quarantined, error) { return r.Retry(cmd.Context(), name, by()) }, logger, asJSON)
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

// retryOffline does without an agent what one would do.
func (a *app) retryOffline(ctx context.Context, logger *slog.Logger, names []string, asJSON bool) error {
	m, services, err := a.chosen(logger, names)
	if err != nil {
		return err
	}
	chosen := make([]dropship.Status, len(services))
	byName := make(map[string]*dropship.Service)
	for i, s := range services {
		chosen[i].Name, byName[s.Name] = s.Name, s
		if s.Shares() {
			chosen[i].Group = s.Turn.Group
		}
	}
	return a.retry(chosen, func(name string) ([]dropship.Quarantined, error) { return byName[name].Retry(ctx, m, by()) }, logger, asJSON)
}

// retry lets what failed of each service be tried again, and says what that is.
func (a *app) retry(services []dropship.Status, retry func(name string) ([]dropship.Quarantined, error), logger *slog.Logger, asJSON bool) error {
	worst := exitDone
	done := []retried{}
	for _, s := range services {
		freed, err := retry(s.Name)
		r := retried{Service: s.Name, Quarantined: append([]dropship.Quarantined{}, freed...)}
		if err != nil {
			r.Error = err.Error()
		}
		done = append(done, r)
		if !asJSON {
			fmt.Fprintf(a.stdout, "%s: %s\n", s.Name, dropship.Printable(freedLine(s.Group, freed, err)))
		}
		switch {
		case errors.Is(err, dropship.ErrServiceBusy):
			logger.Error("cannot retry: another dropship process checks, waits for its turn or updates; run it again when that is through", "service", s.Name, "error", err)
			worst = worse(worst, exitBusy)
		case errors.Is(err, dropship.ErrNotLifted) && !errors.Is(err, lock.ErrRefused):
			logger.Error("cannot retry: run it again when Consul answers", "service", s.Name, "error", err)
			worst = exitFailed
		case err != nil:
			logger.Error("cannot retry", "service", s.Name, "error", err)
			worst = exitFailed
		}
	}
	if asJSON {
		if err := printJSON(a.stdout, done); err != nil {
			return err
		}
	}
	if worst != exitDone {
		return &exitError{code: worst}
	}
	return nil
}

// freedLine says what is quarantined no more, and where. With an error that is what was lifted for the group before it.
func freedLine(group string, freed []dropship.Quarantined, err error) string {
	switch {
	case len(freed) == 0 && err != nil:
		return "nothing changed"
	case len(freed) == 0:
		return "nothing was quarantined; what is held back after failures is tried again at the next check"
	}
	where := "on this machine"
	if group != "" {
		where = "in group " + group
	}
	var what []string
	for _, q := range freed {
		what = append(what, q.String())
	}
	return fmt.Sprintf("may be tried again %s: %s", where, strings.Join(what, "; "))
}

// person returns who runs this process: with sudo, who ran that.
func person() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return cmp.Or(os.Getenv("SUDO_USER"), name)
}
