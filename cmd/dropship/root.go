package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/dropship/dropship/lock"
)

// The exit codes of every command.
const (
	exitDone        = 0 // done, or nothing to do
	exitFailed      = 1 // an update failed
	exitUsage       = 2 // usage or configuration
	exitBusy        = 3 // the slot, or the service, was not free within --wait
	exitUnreachable = 4 // the agent could not be reached
)

const defaultConfig = "/etc/dropship.d/dropship.hcl"

// An exitError ends the program with a code. Its text, if it has any, has not been printed yet.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }

func (e *exitError) Unwrap() error { return e.err }

// app is what the commands share: where they write, and the flags that all of them take.
type app struct {
	stdout, stderr io.Writer
	config         string
	socket         string
	logLevel       string
	logFormat      string
}

// run executes a command line and returns its exit code. Results go to stdout, everything else to stderr.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	result := &output{w: stdout}
	a := &app{stdout: result, stderr: stderr}
	root := a.rootCommand()
	root.SetOut(result)
	root.SetErr(stderr)
	root.SetArgs(args)

	err := root.ExecuteContext(ctx)
	var exit *exitError
	ours := errors.As(err, &exit)
	switch {
	case result.gone && (err == nil || errors.Is(err, syscall.EPIPE)):
		return exitDone
	case result.err != nil && !ours:
		exit = &exitError{exitFailed, result.err}
	case err == nil:
		return exitDone
	case !ours:
		// Cobra's own: an unknown command or flag, a wrong number of arguments.
		exit = &exitError{exitUsage, fmt.Errorf("%w (see dropship --help)", err)}
	}
	if exit.err != nil {
		a.sayWhy(exit.err)
	}
	return exit.code
}

// rootCommand returns dropship with all its commands.
func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "dropship",
		Short: "Keep the services of this machine at what their artifact repository holds",
		Long: `Dropship compares the artifact of each service with what is installed. When they differ it downloads,
verifies and unpacks the new one beside the destination, waits for its turn among the machines,
runs the before hooks, switches in one atomic step, runs the after hooks, and rolls back if they fail.

Exit codes: 0 done or nothing to do, 1 an update failed, 2 usage or configuration, 3 not free within --wait,
4 the agent could not be reached.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	flags := root.PersistentFlags()
	flags.StringVar(&a.config, "config", defaultConfig, "configuration `file`, or a directory whose *.hcl are all read")
	flags.StringVar(&a.socket, "socket", "", "`path` of the agent's socket, instead of the one that the configuration names")
	flags.StringVar(&a.logLevel, "log-level", "info", "debug, info, warn or error")
	flags.StringVar(&a.logFormat, "log-format", "text", "text or json")
	root.AddCommand(
		a.agentCommand(), a.applyCommand(), a.planCommand(), a.serviceCommand(), a.validateCommand(), a.versionCommand(),
		// These speak to the running agent.
		a.statusCommand(), a.whyCommand(), a.historyCommand(), a.logsCommand(), a.checkCommand(),
		a.rollbackCommand(), a.retryCommand(), a.pauseCommand(), a.resumeCommand(),
	)
	a.completeFlags(root)
	return root
}

// sayWhy writes why the program ends, as a line of the log where that is for machines.
func (a *app) sayWhy(err error) {
	if a.logFormat == "json" {
		if logger, lerr := a.logger(); lerr == nil {
			logger.Error("dropship ends", "error", err)
			return
		}
	}
	fmt.Fprintln(a.stderr, "dropship:", err)
}

// noArgs is for commands that take no arguments: the one that people give them is the configuration.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s takes no arguments, and got %q: name the configuration with --config", cmd.Name(), args[0])
	}
	return nil
}

// asWhom says what helps a user whom the system refused something, as the end of an error; nothing where that is not it.
func asWhom(err error) string {
	if os.Geteuid() <= 0 || !errors.Is(err, fs.ErrPermission) { // negative: a system without such users
		return ""
	}
	return ": permission denied: run it as root, with sudo, or as the user that the agent runs as"
}

// code maps the error of an update to an exit code.
func code(err error) int {
	if errors.Is(err, context.Canceled) {
		return exitFailed // told to stop, which is no verdict on the slot
	}
	if errors.Is(err, lock.ErrBusy) || errors.Is(err, errStillBusy) {
		return exitBusy
	}
	return exitFailed
}
