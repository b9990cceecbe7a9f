package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/lock"
)

// errStillBusy means that another process worked on a service for as long as --wait allows.
var errStillBusy = errors.New("another dropship process worked on this service the whole time")

func (a *app) applyCommand() *cobra.Command {
	var dryRun bool
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "apply [SERVICE…]",
		Short: "Check now, update what is outdated, exit",
		Long: `Apply brings the named services, or all, to what their repository holds, side by side, and exits. It is safe
beside a running agent: no two processes work on one service, or one destination, at the same time.

On a terminal a line for each service shows how far it is, with a bar while it downloads, and the log has only
warnings and errors, above these lines; with --log-level it has what that says. Where standard error is no terminal,
with TERM=dumb or with --log-format json there are only the lines of the log. NO_COLOR turns colours off.

Exit code 0 if every service is at its repository's hash now, 1 if one is not (it failed, is quarantined, or is
paused), 3 if one waited longer than --wait for its slot. SIGINT (Ctrl-C), SIGTERM and SIGHUP stop it: it abandons updates whose hooks have
not begun and completes the others. A second one ends it at once.`,
		ValidArgsFunction: a.completeServices,
		RunE: func(cmd *cobra.Command, names []string) error {
			if dryRun {
				return a.plan(cmd.Context(), names, false)
			}
			terminal, log := a.barsTerminal(), &logAbove{w: a.stderr}
			level := slog.LevelInfo // of what is for the person who waits
			if terminal != nil && !cmd.Flags().Changed("log-level") {
				a.logLevel, level = "warn", slog.LevelWarn // the bars say what the lines of level info would
			}
			logger, err := a.loggerTo(log)
			if err != nil {
				return err
			}
			if wait < time.Second {
				return &exitError{exitUsage, fmt.Errorf("--wait %s is too short: a slot that is free takes up to a second to get", wait)}
			}
			m, services, err := a.chosen(logger, names)
			if err != nil {
				return err
			}
			signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
			if !signal.Ignored(syscall.SIGHUP) { // nohup means it
				signals = append(signals, syscall.SIGHUP)
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), signals...)
			defer stop()
			ignore := context.AfterFunc(ctx, func() {
				stop() // a second Ctrl-C ends the process at once
				logger.Log(ctx, level, "interrupted: completing updates whose hooks have begun")
			})
			defer ignore() // before the stop that ends ctx, too, and is no signal
			if terminal != nil {
				b := newBars(terminal, os.Getenv("NO_COLOR") == "", services)
				m.Observe(b)
				log.show(b)
				defer log.hide()
			}
			return a.apply(ctx, m, services, wait, logger, log.hide)
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only show what would be done, as dropship plan does")
	cmd.Flags().DurationVar(&wait, "wait", 10*time.Minute, "how long to wait for a slot, and for another process that works on the service; at least 1s")
	return cmd
}

// apply updates the services side by side and, once through is called, prints what came of each.
func (a *app) apply(ctx context.Context, m *dropship.Machine, services []*dropship.Service, wait time.Duration, logger *slog.Logger, through func()) error {
	var wg sync.WaitGroup
	results := make([]dropship.Result, len(services))
	errs := make([]error, len(services))
	for i, s := range services {
		wg.Go(func() { results[i], errs[i] = applyOne(ctx, m, s, wait, logger) })
	}
	wg.Wait()
	through()

	worst := exitDone
	for i, s := range services {
		r, err := results[i], errs[i]
		switch {
		case err != nil:
			outcome := cmp.Or(string(r.Outcome), "not updated")
			if errors.Is(err, context.Canceled) {
				outcome += " (interrupted)"
			} else {
				logFailure(logger, s, err)
			}
			a.result(s, outcome)
			worst = worse(worst, code(err))
		case r.Outcome == dropship.Quarantine, r.Outcome == dropship.Held:
			why := strings.TrimPrefix(r.Detail, string(r.Outcome)+" ")
			a.result(s, fmt.Sprintf("%s, still at %s: %s", r.Outcome, cmp.Or(r.Hash, "nothing"), why))
			worst = worse(worst, exitFailed)
		case r.Outcome == dropship.Updated:
			a.result(s, fmt.Sprintf("%s%s in %s", updatedFrom(r), r.Hash, r.Took.Round(time.Millisecond)))
		default:
			a.result(s, fmt.Sprintf("%s (%s)", r.Outcome, r.Hash))
		}
	}
	if worst == exitDone {
		return nil
	}
	if help := asWhom(errors.Join(errs...)); help != "" {
		return &exitError{worst, errors.New("cannot update" + help)}
	}
	return &exitError{code: worst}
}

// result writes what came of a service.
func (a *app) result(s *dropship.Service, text string) { a.sentence(s.Name+": ", text) }

// applyOne updates a service, after completing what was interrupted before. wait limits only the waiting,
// for a slot and for another process, not the work.
func applyOne(ctx context.Context, m *dropship.Machine, s *dropship.Service, wait time.Duration, logger *slog.Logger) (dropship.Result, error) {
	if s.Turn != nil {
		limited, turn := *s, *s.Turn
		turn.Wait = wait
		turn.Waiting = func(ahead []lock.Holder) {
			if len(ahead) > 0 {
				logger.Info("waiting for a slot", "service", s.Name, "ahead", len(ahead), "holder", ahead[0].String())
			}
		}
		limited.Turn = &turn
		s = &limited
	}
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	said := false
	for {
		r, err := s.Update(ctx, m)
		switch {
		case errors.Is(err, dropship.ErrServiceBusy):
			if !said {
				said = true
				logger.Info("another dropship process works on this service: waiting for its end", "service", s.Name)
			}
			select {
			case <-time.After(200 * time.Millisecond):
			case <-ctx.Done():
				return r, context.Cause(ctx)
			case <-waiting.Done():
				return r, errStillBusy
			}
		case err == nil && r.Outcome == dropship.Recovered:
			if ctx.Err() != nil {
				return r, context.Cause(ctx)
			}
		default:
			return r, err
		}
	}
}

// worse returns the code that says more: a failed update before one that was only not its turn.
func worse(a, b int) int {
	if a == exitFailed || b == exitFailed {
		return exitFailed
	}
	return max(a, b)
}

// logFailure logs a failed update in the words of the agent.
func logFailure(logger *slog.Logger, s *dropship.Service, err error) {
	log := logger.With("service", s.Name)
	if step, ok := errors.AsType[*dropship.StepError](err); ok {
		log.Error("cannot update", "step", string(step.Step), "error", step.Err)
		return
	}
	log.Error("cannot update", "error", err)
}

// updatedFrom begins the line of an update.
func updatedFrom(r dropship.Result) string {
	if r.PreviousHash == "" {
		return "installed "
	}
	return "updated from " + r.PreviousHash + " to "
}
