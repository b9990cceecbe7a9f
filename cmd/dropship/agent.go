package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/dropship/config"
)

func (a *app) agentCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "agent",
		Short: "Run the daemon, in the foreground",
		Long: `Agent keeps every configured service up to date until it is told to stop.

SIGHUP reloads the configuration; a mistake in it leaves the old one in force. SIGTERM and SIGINT stop:
updates whose hooks have not begun are abandoned with nothing changed, the others are completed first.
A second SIGTERM or SIGINT ends the process at once; the next start completes or undoes what it broke off.
Under systemd it tells when it is ready, reloading and stopping.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.underManager(cmd.Context(), a.agent) },
	}
}

func (a *app) agent(ctx context.Context) error {
	logger, err := a.logger()
	if err != nil {
		return err
	}
	// A crash ends the process by a signal. The exit code of Go's own would be 2, that of a mistake in the
	// configuration, after which a service manager tries no restart.
	debug.SetTraceback("crash")
	// Signals are caught before anything else, so that none of them ends a process that is about to work.
	hup := make(chan os.Signal, 1) // one pending reload is enough, however many were asked for
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	stopping := make(chan os.Signal, 2)
	signal.Notify(stopping, syscall.SIGTERM, os.Interrupt)
	defer signal.Stop(stopping)

	cfg, err := a.load(logger)
	if err != nil {
		return err
	}
	m, err := a.machine(cfg, logger)
	if err != nil {
		return err
	}
	agent := dropship.NewAgent(m)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	exporters := startExporters(ctx, cfg.Exporters, m, agent)
	agent.Start(ctx, cfg.Services)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		agent.Wait()
		exporters.end()
	}()
	// finish stops the agent, and returns err or what kept that from its good end.
	finish := func(err error) error {
		stop()
		select {
		case <-ended:
			return err
		case s := <-stopping:
			return &exitError{exitFailed, fmt.Errorf("ended at once by a second signal (%s): the next start completes or undoes the update that was under way", s)}
		}
	}

	logger.Info("agent started", "version", version, "config", a.config, "services", len(cfg.Services), "host", m.Hostname)
	if len(cfg.Services) == 0 {
		logger.Warn("no service is configured: waiting for a reload (SIGHUP)")
	}
	notify(logger, ready(cfg))
	ping, stopPing := watchdog(logger)
	defer stopPing()
	for {
		select {
		case <-ping:
			// From here, where signals and reloads are handled: what hangs the agent, keeps the ping back.
			if agent.Alive() {
				notify(logger, daemon.SdNotifyWatchdog)
			} else {
				logger.Error("a service is not kept up to date any more: waiting for the watchdog to restart the agent")
			}
		case <-hup:
			notify(logger, reloading())
			if next, err := a.reload(logger, cfg); err != nil {
				logger.Error("the configuration is not reloaded: the old one stays in force", "error", err)
			} else {
				cfg = next
				agent.Reload(cfg.Services)
				logger.Info("configuration reloaded", "services", len(cfg.Services))
			}
			notify(logger, ready(cfg))
		case s := <-stopping:
			logger.Info("stopping: completing updates whose hooks have begun", "signal", s.String())
			notify(logger, "STOPPING=1")
			if err := finish(nil); err != nil {
				return err
			}
			logger.Info("agent stopped")
			return nil
		case err := <-exporters.failed:
			return finish(&exitError{exitFailed, err})
		case <-ctx.Done():
			<-ended
			return nil
		}
	}
}

// reload does everything that can fail, and changes nothing.
func (a *app) reload(logger *slog.Logger, cfg *config.Config) (*config.Config, error) {
	next, err := a.load(logger)
	if err != nil {
		return nil, err
	}
	if next.StateDir != cfg.StateDir {
		return nil, fmt.Errorf("stateDir cannot change from %s to %s while the agent runs: restart it", cfg.StateDir, next.StateDir)
	}
	if next.Exporting != cfg.Exporting {
		return nil, errors.New("the metrics and tracing blocks cannot change while the agent runs: restart it")
	}
	return next, nil
}
