package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/dropship/config"
)

// load reads the configuration, reports every mistake and warning in it on stderr, and fails on a mistake.
func (a *app) load(logger *slog.Logger) (*config.Config, error) { return a.loadBy(config.Load, logger) }

func (a *app) loadBy(load func(string, config.Kinds) (*config.Config, *config.Diagnostics), logger *slog.Logger) (*config.Config, error) {
	// What a load allocates is gone soon after, and every processor is busy with it. Collected a quarter as often, a thousand
	// services take four fifths of the time and a third more memory.
	percent := debug.SetGCPercent(400)
	cfg, diags := load(a.config, kinds(logger))
	debug.SetGCPercent(percent)
	if a.logFormat == "json" {
		diags.Log(logger)
	} else {
		color, width := terminal(a.stderr)
		diags.Print(a.stderr, color, width)
	}
	if diags.HasErrors() {
		return nil, &exitError{code: exitUsage, err: &mistakesError{a.config, diags}}
	}
	if a.socket != "" {
		socket, err := filepath.Abs(a.socket)
		if err != nil {
			return nil, &exitError{exitUsage, fmt.Errorf("cannot tell the path of --socket %s: %w", a.socket, err)}
		}
		cfg.Socket = socket
	}
	return cfg, nil
}

// A mistakesError is why a configuration cannot be used.
type mistakesError struct {
	path  string
	diags *config.Diagnostics
}

func (e *mistakesError) Error() string {
	return fmt.Sprintf("cannot use the configuration %s: %s", e.path, count(len(e.diags.Errors()), "mistake"))
}

// machine returns this machine as the configuration describes it.
func (a *app) machine(cfg *config.Config, logger *slog.Logger) (*dropship.Machine, error) {
	hostname, err := os.Hostname()
	if err != nil {
		return nil, &exitError{exitFailed, fmt.Errorf("cannot tell this machine's name: %w", err)}
	}
	m := dropship.NewMachine(hostname, dropship.NewStore(cfg.StateDir), logger)
	m.LimitDownloads(cfg.MaxDownloads, cfg.MaxBandwidth)
	return m, nil
}

// chosen loads the configuration, and returns this machine and the services that the arguments name.
func (a *app) chosen(logger *slog.Logger, names []string) (*dropship.Machine, []*dropship.Service, error) {
	cfg, err := a.load(logger)
	if err != nil {
		return nil, nil, err
	}
	services, err := choose(cfg.Services, names)
	if err != nil {
		return nil, nil, err
	}
	m, err := a.machine(cfg, logger)
	return m, services, err
}

// choose returns the services that the arguments name, all of them without arguments.
func choose(services []*dropship.Service, names []string) ([]*dropship.Service, error) {
	if len(names) == 0 {
		return services, nil
	}
	var chosen []*dropship.Service
	for _, name := range names {
		i := slices.IndexFunc(services, func(s *dropship.Service) bool { return s.Name == name })
		if i < 0 {
			return nil, unknown(name, namesOf(services), "plan")
		}
		if !slices.Contains(chosen, services[i]) {
			chosen = append(chosen, services[i])
		}
	}
	return chosen, nil
}

func namesOf(services []*dropship.Service) []string {
	names := make([]string, len(services))
	for i, s := range services {
		names[i] = s.Name
	}
	return names
}

// unknown is the error of a service that is not configured. It names the one that was meant, if there is one like it,
// and the command that lists all: there may be a thousand.
func unknown(name string, names []string, lists string) error {
	meant := config.Similar(name, names)
	switch {
	case len(names) == 0:
		return &exitError{exitUsage, fmt.Errorf("no service %q is configured, and no other", name)}
	case meant != "":
		return &exitError{exitUsage, fmt.Errorf("no service %q is configured: did you mean %q? dropship %s lists all", name, meant, lists)}
	default:
		return &exitError{exitUsage, fmt.Errorf("no service %q is configured: dropship %s lists all", name, lists)}
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
