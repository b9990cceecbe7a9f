// Dropship keeps services on this machine at what their artifact repository holds.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

func main() {
	if info, ok := debug.ReadBuildInfo(); ok {
		version, commit = built(info, version, commit)
	}
	// Whoever read our output may go away (a pipe to head, the journal's restart). That must not end an update
	// in the middle: a write that fails is enough. Not signal.Ignore, which hooks would inherit.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}
