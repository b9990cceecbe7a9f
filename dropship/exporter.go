package dropship

import "context"

// An Exporter tells somebody else what an agent does: metrics, traces. It never holds up, and never fails, an update: what
// it cannot tell is lost, and logged by it. One folder below metrics, and tracing, hold each kind.
type Exporter interface {
	Observer
	// String names the exporter for logs, without a credential.
	String() string
	// Run works until ctx ends, and then tells what is left to tell, for a few seconds at the most. Events come from
	// before Run until after it. An error means that it cannot begin (an address in use): whoever runs it gives up the
	// start of the agent; later trouble it logs, and goes on.
	Run(ctx context.Context, agent *Agent) error
}
