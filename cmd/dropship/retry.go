package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dropship/dropship/dropship"
)

// retryWait is how long retry waits for a check to end that another process is making.
const retryWait = 3 * time.Second

func (a *app) retryCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "retry SERVICE…",
		Short: "Let a hash that was rolled back be tried again",
		Long: `Retry ends the quarantine of the named services, on this machine and, where their machines take turns through
Consul, for the whole group: the running agents try what the repository holds again at their next check, one machine
first. What is held back here after failures is tried again, too. Retry itself updates nothing.

Exit code 0 also if nothing was quarantined, 1 if the quarantine of the group stays in force because Consul did not
answer, 3 if another process works on the service.`,
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
		freed, err := retryOne(ctx, m, s, by)
		switch {
		case errors.Is(err, dropship.ErrServiceBusy):
			fmt.Fprintf(a.stdout, "%s: nothing changed\n", s.Name)
			logger.Error("cannot retry: an update is under way; run it again when that is through", "service", s.Name, "error", err)
			worst = worse(worst, exitBusy)
			continue
		case errors.Is(err, dropship.ErrNotLifted):
			logger.Error("the other machines go on leaving it alone, and this one will, too: run it again when Consul answers", "service", s.Name, "error", err)
			worst = exitFailed
		case err != nil:
			fmt.Fprintf(a.stdout, "%s: nothing changed\n", s.Name)
			logger.Error("cannot retry", "service", s.Name, "error", err)
			worst = exitFailed
			continue
		}
		fmt.Fprintf(a.stdout, "%s: %s\n", s.Name, freedLine(s, freed, err == nil))
	}
	if worst != exitDone {
		return &exitError{code: worst}
	}
	return nil
}

// retryOne waits for a check that is under way.
func retryOne(ctx context.Context, m *dropship.Machine, s *dropship.Service, by string) ([]dropship.Quarantined, error) {
	end := time.Now().Add(retryWait)
	for {
		freed, err := s.Retry(ctx, m, by)
		if !errors.Is(err, dropship.ErrServiceBusy) || time.Now().After(end) {
			return freed, err
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// freedLine says what is quarantined no more, and where.
func freedLine(s *dropship.Service, freed []dropship.Quarantined, everywhere bool) string {
	if len(freed) == 0 {
		return "nothing was quarantined"
	}
	where := "on this machine"
	if everywhere && s.Shares() {
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
