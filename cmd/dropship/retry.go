package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/lock"
)

func (a *app) retryCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "retry SERVICE…",
		Short: "Let a hash that was rolled back be tried again",
		Long: `Retry ends the quarantine of the named services, on this machine and, where their machines take turns through
Consul, for the whole group: the running agents try what the repository holds again at their next check, one machine
first. What is held back here after failures is tried again, too. Retry itself updates nothing.

Exit code 0 also if nothing was quarantined, 1 if Consul did not answer or refused, and 3 if another process checks
the service, waits for its turn or updates it, for more than twelve seconds. With 1 and 3 nothing is changed on this
machine.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fmt.Errorf("%s needs the name of a service", cmd.Name())
			}
			return nil
		},
		ValidArgsFunction: a.completeServices,
		RunE:              func(cmd *cobra.Command, names []string) error { return a.retry(cmd.Context(), names) },
	}
}

func (a *app) retry(ctx context.Context, names []string) error {
	logger, err := a.logger()
	if err != nil {
		return err
	}
	m, services, err := a.chosen(logger, names)
	if err != nil {
		return err
	}
	by := person() + "@" + m.Hostname
	worst := exitDone
	for _, s := range services {
		freed, err := s.Retry(ctx, m, by)
		fmt.Fprintf(a.stdout, "%s: %s\n", s.Name, freedLine(s, freed, err))
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
	if worst != exitDone {
		return &exitError{code: worst}
	}
	return nil
}

// freedLine says what is quarantined no more, and where. With an error that is what was lifted for the group before it.
func freedLine(s *dropship.Service, freed []dropship.Quarantined, err error) string {
	switch {
	case len(freed) == 0 && err != nil:
		return "nothing changed"
	case len(freed) == 0:
		return "nothing was quarantined; what is held back after failures is tried again at the next check"
	}
	where := "on this machine"
	if s.Shares() {
		where = "in group " + s.Turn.Group
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
