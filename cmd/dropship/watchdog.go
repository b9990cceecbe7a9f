package main

import (
	"log/slog"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// watchdog returns when to tell the service manager that the agent is alive: four times in the time after which it
// takes an agent that tells nothing for a stuck one, and ends it (WatchdogSec). Without a watchdog that is never.
func watchdog(logger *slog.Logger) (tick <-chan time.Time, stop func()) {
	within, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		logger.Warn("cannot tell the service manager's watchdog", "error", err)
	}
	if within == 0 {
		return nil, func() {}
	}
	t := time.NewTicker(within / 4)
	return t.C, t.Stop
}
