package main

import (
	"log/slog"
	"slices"

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
	complete("log-level", cobra.FixedCompletions([]cobra.Completion{"debug", "info", "warn", "error"}, cobra.ShellCompDirectiveNoFileComp))
	complete("log-format", cobra.FixedCompletions([]cobra.Completion{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
}

// completeServices offers the configured services that the command line does not name yet. Where the configuration
// cannot be loaded it offers nothing: the command itself says why.
func (a *app) completeServices(_ *cobra.Command, named []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	cfg, _ := config.Load(a.config, kinds(slog.New(slog.DiscardHandler)))
	if cfg == nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []cobra.Completion
	for _, s := range cfg.Services {
		if !slices.Contains(named, s.Name) {
			names = append(names, cobra.CompletionWithDesc(s.Name, s.Source.String()))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
