package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/dropship/dropship/dropship"
)

// exporters are those of a running agent.
type exporters struct {
	stop context.CancelFunc
	wg   sync.WaitGroup
}

// startExporters has exporters tell others what an agent does, which has not started yet, until end.
func startExporters(ctx context.Context, all []dropship.Exporter, m *dropship.Machine, agent *dropship.Agent) (*exporters, error) {
	for _, exporter := range all {
		if err := exporter.Open(ctx, agent); err != nil {
			return nil, &exitError{exitFailed, fmt.Errorf("cannot start the agent: %s: %w", exporter, err)}
		}
	}
	e := new(exporters)
	// They outlive the agent's own context: updates that it completes when it stops are told, too.
	ctx, e.stop = context.WithCancel(context.WithoutCancel(ctx))
	for _, exporter := range all {
		m.Observe(exporter)
		e.wg.Go(func() { exporter.Run(ctx) })
	}
	return e, nil
}

// end returns when everything is told, or cannot be.
func (e *exporters) end() {
	e.stop()
	e.wg.Wait()
}
