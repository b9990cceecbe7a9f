package main

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/dropship/dropship/dropship/config"
)

// completeFlags makes a shell that completes command lines (dropship completion SHELL) offer what the flags of every
// command take, and file names nowhere else.
func (a *app) completeFlags(root *cobra.Command) {
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	complete := func(flag string, f cobra.CompletionFunc) {
		if err := root.RegisterFlagCompletionFunc(flag, f); err != nil {
			panic(err) // a flag that is not defined, or that is completed twice
		}
	}
	complete("config", cobra.FixedCompletions([]cobra.Completion{"hcl"}, cobra.ShellCompDirectiveFilterFileExt))
	complete("socket", cobra.FixedCompletions([]cobra.Completion{"sock"}, cobra.ShellCompDirectiveFilterFileExt))
	complete("log-level", cobra.FixedCompletions([]cobra.Completion{"debug", "info", "warn", "error"}, cobra.ShellCompDirectiveNoFileComp))
	complete("log-format", cobra.FixedCompletions([]cobra.Completion{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
}

// completeServices offers the configured services that the command line does not name yet. Where the configuration
// cannot be loaded it offers those of the running agent, or nothing: the command itself says why.
func (a *app) completeServices(cmd *cobra.Command, named []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var names []cobra.Completion
	offer := func(name, source string) {
		if !slices.Contains(named, name) {
			names = append(names, cobra.CompletionWithDesc(name, source))
		}
	}
	if cfg, _ := config.Load(a.config, kinds(slog.New(slog.DiscardHandler))); cfg != nil {
		for _, s := range cfg.Services {
			offer(s.Name, s.Source.String())
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completeTimeout)
	defer cancel()
	services, _ := a.running().Statuses(ctx)
	for _, s := range services {
		offer(s.Name, s.Artifact)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeTimeout is how long whoever pressed TAB waits for an agent.
const completeTimeout = time.Second

// completeService is completeServices for commands that take one.
func (a *app) completeService(cmd *cobra.Command, named []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(named) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeServices(cmd, named, begun)
}
