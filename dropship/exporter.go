package dropship

import "context"

// An Exporter tells somebody else what an agent does: metrics, traces. It never holds up, and never fails, an update: what
// it cannot tell is lost, and logged by it. One folder below metrics, and tracing, hold each kind.
type Exporter interface {
	Observer
	// String names the exporter for logs, without a credential.
	String() string
	// Open takes what Run will need, before the agent starts. An error (an address in use) gives up the start of the agent.
	Open(ctx context.Context, agent *Agent) error
	// Run works until ctx ends, and then tells what is left to tell, for a few seconds at the most. Events come from
	// before Run until after it. Trouble it logs, and goes on. It is called once, after Open.
	Run(ctx context.Context)
}
