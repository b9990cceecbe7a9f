// Dropship keeps services on this machine at what their artifact repository holds.
package main

import (
	"context"
	"os"
)

// version and commit are set by the build: -ldflags '-X main.version=… -X main.commit=…'.
var (
	version = "unknown"
	commit  = "unknown"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}
