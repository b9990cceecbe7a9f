package main

import (
	"fmt"
	"log/slog"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/dropship/dropship/dropship/config"
)

// notify tells systemd (sd_notify(3)); where no service manager listens it does nothing.
func notify(logger *slog.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		logger.Warn("cannot notify the service manager", "error", err)
	}
}

func ready(cfg *config.Config) string {
	return fmt.Sprintf("READY=1\nSTATUS=%s", count(len(cfg.Services), "service"))
}
