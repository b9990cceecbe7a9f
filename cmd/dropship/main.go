// Dropship keeps services on this machine at what their artifact repository holds.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// version and commit are set by the build: -ldflags '-X main.version=… -X main.commit=…'.
var (
	version = "unknown"
	commit  = "unknown"
)

func main() {
	// Whoever read our output may go away (a pipe to head, the journal's restart). That must not end an update
	// in the middle: a write that fails is enough. Not signal.Ignore, which hooks would inherit.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}
