package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// notTold is what the version and the commit are of a build that was told neither.
const notTold = "unknown"

// version and commit are set by the build: -ldflags '-X main.version=… -X main.commit=…'.
var (
	version = notTold
	commit  = notTold
)

// built returns version and commit, from what the go command recorded where the build was not told: what was fetched as
// a module has a version, what was built in a checkout the revision, also as part of a version.
func built(info *debug.BuildInfo, version, commit string) (string, string) {
	if v := info.Main.Version; version == notTold && v != "" && v != "(devel)" {
		version = strings.TrimPrefix(v, "v")
	}
	if commit != notTold {
		return version, commit
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	if revision := settings["vcs.revision"]; revision != "" {
		commit = revision[:min(len(revision), 12)]
		if settings["vcs.modified"] == "true" {
			commit += "-dirty"
		}
	}
	return version, commit
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print version, commit, Go and platform",
		Args:  noArgs,
		RunE: func(*cobra.Command, []string) error {
			fmt.Fprintf(a.stdout, "dropship %s\ncommit   %s\ngo       %s\nplatform %s/%s\n", version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return nil
		},
	}
}
