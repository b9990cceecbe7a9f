package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

// The exit codes of service status, as LSB has them for the status of an init script.
const (
	exitStopped      = 3
	exitNotInstalled = 4
)

func (a *app) serviceCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "service",
		Short: "Run the agent as a service of the system, where no package does",
		Long: `Service hands the agent to the system's own service manager: systemd, OpenRC, upstart, System V init, launchd,
FreeBSD's rc.d or the Windows service manager. The agent then starts with the machine. Only root can do that.

The packages of Dropship bring a unit for systemd. Where it is, these commands refuse: use systemctl.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		a.serviceAction("install", "Install the service; it starts with the machine, or by service start", `Install checks the configuration as validate does, and installs nothing if there is a mistake in it. The service
gets the absolute paths of this program and of --config. Exit code 2 after a mistake, 1 if it cannot be installed.`, a.installService),
		a.serviceAction("uninstall", "Stop the service and remove it", `Uninstall stops the service, which waits for an update that has begun its hooks, and removes what install wrote.
The configuration, the state and the log stay.`, a.uninstallService),
		a.serviceAction("start", "Start the service", `Start does nothing if the service runs.`, a.startService),
		a.serviceAction("stop", "Stop the service", `Stop waits for an update that has begun its hooks. It does nothing if the service does not run.`, a.stopService),
		a.serviceAction("restart", "Stop the service and start it", `Restart waits for an update that has begun its hooks.`, a.restartService),
		a.serviceAction("status", "Tell whether the service runs", `Status prints running, stopped or not installed.

Exit codes, as those of an init script's status: 0 it runs, 3 it is stopped, 4 it is not installed; 1 nobody can tell.`, a.serviceStatus),
	)
	return cmd
}

func (a *app) serviceAction(use, short, long string, do func(context.Context, *manager) error) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Long: long, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, err := currentManager()
			if err != nil {
				return &exitError{exitFailed, fmt.Errorf("cannot %s the service: %w", use, err)}
			}
			if unit := packagedUnit(); unit != "" {
				return &exitError{exitFailed, fmt.Errorf("cannot %s the service: a package has installed it, as %s: use %s", use, unit, instead[use])}
			}
			if os.Geteuid() > 0 && use != "status" { // -1 on Windows, whose own answer is as clear
				return &exitError{exitFailed, fmt.Errorf("cannot %s the service: only root can", use)}
			}
			return do(cmd.Context(), m)
		},
	}
}

// instead is what does with the package's unit what a command does without.
var instead = map[string]string{
	"install":   "systemctl enable --now dropship",
	"uninstall": "systemctl disable --now dropship, or remove the package",
	"start":     "systemctl start dropship",
	"stop":      "systemctl stop dropship",
	"restart":   "systemctl restart dropship",
	"status":    "systemctl status dropship",
}

// packagedUnit returns where the unit of a package is, if it is on this machine.
func packagedUnit() string {
	for _, path := range []string{"/lib/systemd/system/dropship.service", "/usr/lib/systemd/system/dropship.service"} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return ""
}

func (a *app) installService(_ context.Context, m *manager) error {
	logger, err := a.logger()
	if err != nil {
		return err
	}
	if _, err := a.load(logger); err != nil {
		return err
	}
	program, config, err := a.servicePaths()
	if err != nil {
		return &exitError{exitFailed, fmt.Errorf("cannot install the service: %w", err)}
	}
	switch installed, err := m.installed(); {
	case err != nil:
		return &exitError{exitFailed, fmt.Errorf("cannot install the service: %w", err)}
	case installed:
		return &exitError{exitFailed, fmt.Errorf("cannot install the service: %s is there already; dropship service uninstall removes it", m.place())}
	}
	if err := m.install(program, config); err != nil {
		return &exitError{exitFailed, fmt.Errorf("cannot install the service for %s: %w", m.name, err)}
	}
	fmt.Fprintf(a.stdout, "installed for %s, as %s; dropship service start starts it\n", m.name, m.place())
	return nil
}

// servicePaths returns what the service runs, absolute.
func (a *app) servicePaths() (program, config string, err error) {
	program, err = os.Executable()
	if err != nil {
		return "", "", fmt.Errorf("cannot tell where this program is: %w", err)
	}
	config, err = filepath.Abs(a.config)
	if err != nil {
		return "", "", fmt.Errorf("cannot tell where %s is: %w", a.config, err)
	}
	return program, config, nil
}

func (a *app) uninstallService(ctx context.Context, m *manager) error {
	state, err := m.status(ctx)
	if err == nil && state == serviceRunning {
		err = m.control(ctx, a, "stop")
	}
	if err == nil && state != serviceAbsent {
		err = m.uninstall()
	}
	switch {
	case err != nil:
		return &exitError{exitFailed, fmt.Errorf("cannot uninstall the service: %w", err)}
	case state == serviceAbsent:
		fmt.Fprintln(a.stdout, "not installed")
	default:
		fmt.Fprintln(a.stdout, "uninstalled")
	}
	return nil
}

func (a *app) startService(ctx context.Context, m *manager) error {
	return a.controlService(ctx, m, "start", serviceRunning)
}

func (a *app) stopService(ctx context.Context, m *manager) error {
	return a.controlService(ctx, m, "stop", serviceStopped)
}

func (a *app) restartService(ctx context.Context, m *manager) error {
	return a.controlService(ctx, m, "restart", serviceAbsent)
}

// controlService has the manager do what the action says, unless the service is as that would make it.
func (a *app) controlService(ctx context.Context, m *manager, action string, done serviceState) error {
	state, err := m.status(ctx)
	switch {
	case err != nil:
	case state == serviceAbsent:
		err = errors.New("it is not installed; dropship service install does that")
	case state == done:
		fmt.Fprintln(a.stdout, state)
		return nil
	case action == "restart" && state == serviceStopped:
		err = m.control(ctx, a, "start")
	default:
		err = m.control(ctx, a, action)
	}
	if err != nil {
		return &exitError{exitFailed, fmt.Errorf("cannot %s the service: %w", action, err)}
	}
	return nil
}

func (a *app) serviceStatus(ctx context.Context, m *manager) error {
	state, err := m.status(ctx)
	if err != nil {
		return &exitError{exitFailed, fmt.Errorf("cannot tell the status of the service: %w", err)}
	}
	fmt.Fprintln(a.stdout, state)
	switch state {
	case serviceStopped:
		return &exitError{code: exitStopped}
	case serviceAbsent:
		return &exitError{code: exitNotInstalled}
	default:
		return nil
	}
}
