package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/dropship/dropship/dropship"
)

// exporters are those of a running agent.
type exporters struct {
	failed chan error // what could not begin
	stop   context.CancelFunc
	wg     sync.WaitGroup
}

// startExporters has exporters tell others what an agent does, which has not started yet, until end.
func startExporters(ctx context.Context, all []dropship.Exporter, m *dropship.Machine, agent *dropship.Agent) *exporters {
	e := &exporters{failed: make(chan error, len(all))}
	// They outlive the agent's own context: updates that it completes when it stops are told, too.
	ctx, e.stop = context.WithCancel(context.WithoutCancel(ctx))
	for _, exporter := range all {
		m.Observe(exporter)
		e.wg.Go(func() {
			if err := exporter.Run(ctx, agent); err != nil {
				e.failed <- fmt.Errorf("cannot start the agent: %s: %w", exporter, err)
			}
		})
	}
	return e
}

// end returns when everything is told, or cannot be.
func (e *exporters) end() {
	e.stop()
	e.wg.Wait()
}
