package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/dropship/api"
	"github.com/dropship/dropship/dropship/config"
)

// A running agent, as commands meet it.
type running struct {
	*api.Client
	socket string
	doubt  error // why the configuration did not tell the socket, so that socket is the default; or nil
}

// running returns the agent of the configuration, or of --socket. It does not ask it anything yet.
func (a *app) running() *running {
	if a.socket != "" {
		return &running{Client: api.NewClient(a.socket), socket: a.socket}
	}
	socket, err := config.Socket(a.config)
	return &running{api.NewClient(socket), socket, err}
}

// explain returns what the client said with an exit code, and what to do about it.
func (r *running) explain(err error) error {
	var exit *exitError
	switch {
	case err == nil, errors.As(err, &exit):
		return err
	case errors.Is(err, api.ErrUnreachable) && errors.Is(r.doubt, fs.ErrPermission):
		return &exitError{exitUnreachable, fmt.Errorf("permission denied: %w, so that the agent's socket is not known, and none listens at %s: run it as root, with sudo, or name the socket with --socket", r.doubt, r.socket)}
	case errors.Is(err, api.ErrUnreachable):
		return &exitError{exitUnreachable, fmt.Errorf("%w%s: start it with systemctl start dropship, or dropship agent; plan and apply work without it", err, r.guess())}
	case errors.Is(err, fs.ErrPermission):
		return &exitError{exitUnreachable, fmt.Errorf("%w: run it as root, with sudo", err)}
	case errors.Is(err, dropship.ErrUnknownService), errors.Is(err, dropship.ErrNoRelease), codeOf(err) == api.CodeBadRequest:
		return &exitError{exitUsage, err}
	case errors.Is(err, dropship.ErrServiceBusy):
		return &exitError{exitBusy, err}
	}
	return &exitError{exitFailed, err}
}

// codeOf is the agent's word for an error; empty: it is none of the agent's.
func codeOf(err error) api.Code {
	if e, ok := errors.AsType[*api.Error](err); ok {
		return e.Code
	}
	return ""
}

// guess says that the socket may be another one.
func (r *running) guess() string {
	if r.doubt == nil {
		return ""
	}
	return fmt.Sprintf(" (%v: the default path was tried)", r.doubt)
}

// choose returns what the agent knows of the services that the arguments name, of all of them without arguments.
func (r *running) choose(ctx context.Context, names []string) ([]dropship.Status, error) {
	all, err := r.Statuses(ctx)
	if err != nil || len(names) == 0 {
		return all, err
	}
	var chosen []dropship.Status
	for _, name := range names {
		i := slices.IndexFunc(all, func(s dropship.Status) bool { return s.Name == name })
		if i < 0 {
			names := make([]string, len(all))
			for i, s := range all {
				names[i] = s.Name
			}
			return nil, unknown(name, names, "status")
		}
		if !slices.ContainsFunc(chosen, func(s dropship.Status) bool { return s.Name == name }) {
			chosen = append(chosen, all[i])
		}
	}
	return chosen, nil
}

// by is who runs this command, as the agent and the history know persons.
func by() string {
	hostname, err := os.Hostname()
	if err != nil {
		hostname = "unknown"
	}
	return person() + "@" + hostname
}

// oneService is for commands about one service.
func oneService(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%s needs the name of one service, and got %s", cmd.Name(), count(len(args), "name"))
	}
	return nil
}

// someServices is for commands that change something: none of them means every service without being told so.
func someServices(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("%s needs the name of a service", cmd.Name())
	}
	return nil
}
