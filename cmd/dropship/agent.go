package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/dropship/api"
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
Under systemd it tells when it is ready, reloading and stopping.

Other commands reach it at its socket, which is for root and the user that it runs as. A second agent with the same
socket does not start.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.underManager(cmd.Context(), a.agent) },
	}
}

// settled is how long after a start or a reload the agent gives back the memory that reading its configuration and the
// first checks took, which is several times what it needs from then on. The runtime itself would keep it for minutes.
const settled = 10 * time.Second

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
	server, socket, err := a.socketOf(agent, m, cfg)
	if err != nil {
		return err
	}
	defer func() { // in the end: how a stop goes on can be asked, too
		if err := server.Close(); err != nil {
			logger.Warn("cannot close the socket", "socket", cfg.Socket, "error", err)
		}
	}()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	exporters, err := startExporters(ctx, cfg.Exporters, m, agent)
	if err != nil {
		return err
	}
	agent.Start(ctx, cfg.Services)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		agent.Wait()
		exporters.end()
	}()
	go func() {
		if err := server.Serve(socket); err != nil {
			logger.Error("no command reaches the agent any more: restart it when that does no harm", "error", err)
		}
	}()

	logger.Info("agent started", "version", version, "config", a.config, "services", len(cfg.Services), "host", m.Hostname, "socket", cfg.Socket)
	if len(cfg.Services) == 0 {
		logger.Warn("no service is configured: waiting for a reload (SIGHUP)")
	}
	notify(logger, ready(cfg))
	giveBack := time.AfterFunc(settled, debug.FreeOSMemory)
	defer giveBack.Stop()
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
			if next, err := a.loadBy(cfg.Reload, logger); err != nil {
				logger.Error("the configuration is not reloaded: the old one stays in force", "error", err)
				agent.Reject(rejected(err))
			} else {
				cfg = next
				m.LimitDownloads(cfg.MaxDownloads, cfg.MaxBandwidth)
				agent.Reload(cfg.Services)
				agent.Reject(nil)
				logger.Info("configuration reloaded", "services", len(cfg.Services))
			}
			notify(logger, ready(cfg))
			giveBack.Reset(settled)
		case s := <-stopping:
			logger.Info("stopping: completing updates whose hooks have begun", "signal", s.String())
			notify(logger, "STOPPING=1")
			stop()
			select {
			case <-ended:
				logger.Info("agent stopped")
				return nil
			case s := <-stopping:
				return &exitError{exitFailed, fmt.Errorf("ended at once by a second signal (%s): the next start completes or undoes the update that was under way", s)}
			}
		case <-ctx.Done():
			<-ended
			return nil
		}
	}
}

// socketOf returns the control socket of an agent that has not started, and who answers there.
func (a *app) socketOf(agent *dropship.Agent, m *dropship.Machine, cfg *config.Config) (*api.Server, *api.Listener, error) {
	path, err := filepath.Abs(a.config)
	if err != nil {
		return nil, nil, &exitError{exitFailed, fmt.Errorf("cannot tell the path of the configuration %s: %w", a.config, err)}
	}
	socket, err := api.Listen(cfg.Socket)
	if err != nil {
		return nil, nil, &exitError{exitFailed, err}
	}
	return api.NewServer(agent, m, api.Agent{Version: version, Started: time.Now().UTC(), Config: path}), socket, nil
}

// rejected returns what persons are told of a configuration that was not taken.
func rejected(err error) *dropship.Rejected {
	r := &dropship.Rejected{At: time.Now().UTC(), Error: err.Error()}
	if m, ok := errors.AsType[*mistakesError](err); ok {
		r.Error, r.Files = strings.Join(m.diags.Lines(), "\n"), m.diags.Files()
	}
	return r
}
