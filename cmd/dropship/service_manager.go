package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	kardianos "github.com/kardianos/service"
)

// A serviceState is what a manager says of the service.
type serviceState string

// The states of the service.
const (
	serviceRunning serviceState = "running"
	serviceStopped serviceState = "stopped"
	serviceAbsent  serviceState = "not installed"
)

// A manager is a service manager of an operating system.
//
// The library finds out which one there is, and enables the service there. The files it would write are not used:
// with them a stop ends an update after ten seconds, a mistake in the configuration is started for ever, and a log
// goes nowhere. Nor is its Run, under which a process lives on whose agent has failed: the agent is in the foreground.
type manager struct {
	name   string
	system string // as the library calls it
	file   string // that install writes; empty: it is no file
	option string // under which the library takes what the file holds
	source string // of the file, in serviceFiles; empty: the unit of the package
	// command is the one that ACTION stands for an action in. Without it the library does what is to be done, whose
	// errors lack what commands print.
	command []string
	// statusAction is the action that exits with 0 if the service runs, and with another code if not. Without it
	// the library knows.
	statusAction string
}

// managers are those that the agent has been described to. The order is of no account.
var managers = []manager{
	{
		name: "systemd", system: "linux-systemd", file: "/etc/systemd/system/dropship.service", option: "SystemdScript",
		command: []string{"systemctl", "ACTION", "dropship.service"}, statusAction: "is-active",
	},
	{
		name: "OpenRC", system: "linux-openrc", file: "/etc/init.d/dropship", option: "OpenRCScript", source: "openrc",
		command: []string{"rc-service", "dropship", "ACTION"}, statusAction: "status",
	},
	{
		name: "upstart", system: "linux-upstart", file: "/etc/init/dropship.conf", option: "UpstartScript", source: "upstart",
		command: []string{"initctl", "ACTION", "dropship"},
	},
	{
		name: "System V init", system: "unix-systemv", file: "/etc/init.d/dropship", option: "SysvScript", source: "sysv",
		command: []string{"/etc/init.d/dropship", "ACTION"}, statusAction: "status",
	},
	{
		name: "launchd", system: "darwin-launchd", file: "/Library/LaunchDaemons/dropship.plist", option: "LaunchdConfig",
		source: "launchd.plist",
	},
	{
		name: "rc.d", system: "freebsd", file: "/usr/local/etc/rc.d/dropship", option: "SysvScript", source: "freebsd",
		command: []string{"service", "dropship", "ACTION"}, statusAction: "status",
	},
	{name: "the Windows service manager", system: "windows-service"},
}

// currentManager returns the manager of this machine.
func currentManager() (*manager, error) {
	system := kardianos.Platform()
	for i := range managers {
		if managers[i].system == system {
			return &managers[i], nil
		}
	}
	if system == "" {
		system = "the service manager of " + runtime.GOOS
	}
	return nil, fmt.Errorf("%s is not supported; have it run dropship agent, in the foreground", system)
}

// place is where the service is installed, for messages.
func (m *manager) place() string {
	if m.file == "" {
		return "dropship"
	}
	return m.file
}

// library returns the library's view of the service. What a file is to hold matters to install only.
func (m *manager) library(c *kardianos.Config) (kardianos.Service, error) {
	c.Name, c.DisplayName, c.Description = "dropship", "Dropship", "Keeps services at what their artifact repository holds"
	return kardianos.New(nil, c)
}

func (m *manager) install(program, config string) error {
	c := &kardianos.Config{Executable: program, Arguments: []string{"agent", "--config", config}}
	if m.file == "" {
		c.Option = kardianos.KeyValue{"OnFailure": "restart", "OnFailureDelayDuration": "5s", "OnFailureResetPeriod": 24 * 60 * 60}
	} else {
		content, err := m.content(program, config)
		if err != nil {
			return err
		}
		c.Option = kardianos.KeyValue{m.option: content}
	}
	s, err := m.library(c)
	if err != nil {
		return err
	}
	if err := s.Install(); err != nil {
		if m.file != "" {
			err = errors.Join(err, removeIfThere(m.file)) // else the next install says that it is there already
		}
		return err
	}
	return nil
}

func (m *manager) uninstall() error {
	s, err := m.library(new(kardianos.Config))
	if err != nil {
		return err
	}
	if err := s.Uninstall(); err != nil {
		return err
	}
	if m.system != "unix-systemv" {
		return nil
	}
	// The library makes these and leaves them.
	links, err := filepath.Glob("/etc/rc[0-6].d/[SK][0-9][0-9]dropship")
	for _, link := range links {
		err = errors.Join(err, os.Remove(link))
	}
	return err
}

func removeIfThere(path string) error {
	err := os.Remove(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// installed reports whether install has been here.
func (m *manager) installed() (bool, error) {
	if m.file == "" {
		s, err := m.library(new(kardianos.Config))
		if err != nil {
			return false, err
		}
		_, err = s.Status()
		if errors.Is(err, kardianos.ErrNotInstalled) {
			return false, nil
		}
		return err == nil, err
	}
	_, err := os.Lstat(m.file)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func (m *manager) status(ctx context.Context) (serviceState, error) {
	installed, err := m.installed()
	if err != nil {
		return "", err
	}
	if !installed {
		return serviceAbsent, nil
	}
	if m.statusAction != "" {
		words := m.words(m.statusAction)
		err := exec.CommandContext(ctx, words[0], words[1:]...).Run()
		if _, exited := errors.AsType[*exec.ExitError](err); exited {
			return serviceStopped, nil
		}
		return serviceRunning, err
	}
	s, err := m.library(new(kardianos.Config))
	if err != nil {
		return "", err
	}
	switch status, err := s.Status(); {
	case errors.Is(err, kardianos.ErrNotInstalled), err == nil && status != kardianos.StatusRunning:
		return serviceStopped, nil
	default:
		return serviceRunning, err
	}
}

// control has the manager start, stop or restart the service, and waits for that. What it prints goes to a.
func (m *manager) control(ctx context.Context, a *app, action string) error {
	if m.command == nil {
		s, err := m.library(new(kardianos.Config))
		if err != nil {
			return err
		}
		return kardianos.Control(s, action)
	}
	words := m.words(action)
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Stdout, cmd.Stderr = a.stdout, a.stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(words, " "), err)
	}
	return nil
}

func (m *manager) words(action string) []string {
	words := make([]string, len(m.command))
	for i, word := range m.command {
		words[i] = strings.ReplaceAll(word, "ACTION", action)
	}
	return words
}
