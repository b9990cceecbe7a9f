package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) validateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "validate",
		Short: "Check the whole configuration, offline",
		Long: `Validate reads every configuration file and reports all mistakes in them, each with file, line and column.
It asks no repository, no Consul and no other server. Exit code 2 if there is a mistake.`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			logger, err := a.logger()
			if err != nil {
				return err
			}
			cfg, err := a.load(logger)
			if err != nil {
				return err
			}
			fmt.Fprintf(a.stdout, "%s: no mistakes; %s in %s\n", a.config, count(len(cfg.Services), "service"), count(len(cfg.Files), "file"))
			return nil
		},
	}
}
