// Package graphite is the exporter that sends metrics to carbon, Graphite's daemon, in its line protocol.
//
//	metrics "graphite" {
//	  host     = "graphite.example.com"
//	  port     = 2003
//	  prefix   = "dropship.web-01"
//	  interval = "10s"
//	}
//
// Every interval all samples are sent, over a connection of their own: none can have died unnoticed since the last
// time. What carbon does not take is not kept, since all that counts is sent as the total since the start of the agent:
// the next round tells it. After a failure the rounds become rarer, up to one a minute.
package graphite

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/marpaia/graphite-golang"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/dropship/metrics"
)

const (
	// roundTimeout bounds the connecting, and then the sending, of a round.
	roundTimeout = 3 * time.Second
	// lastTimeout does so for the last one, when the agent ends.
	lastTimeout = 2 * time.Second
	// backoffCap bounds the wait after failures, where the interval is not longer itself.
	backoffCap = time.Minute
)

// An Exporter sends metrics.
type Exporter struct {
	*metrics.Meter
	host     string
	port     int
	prefix   string
	interval time.Duration
	logger   *slog.Logger
	agent    *dropship.Agent
}

var _ dropship.Exporter = (*Exporter)(nil)

// String returns where it sends to.
func (e *Exporter) String() string { return fmt.Sprintf("metrics graphite to %s:%d", e.host, e.port) }

// Open implements dropship.Exporter. It never fails: carbon may come up later.
func (e *Exporter) Open(_ context.Context, agent *dropship.Agent) error {
	e.agent = agent
	return nil
}

// Run implements dropship.Exporter: it sends every interval, and once more when ctx ends.
func (e *Exporter) Run(ctx context.Context) {
	var trouble time.Time // since when carbon takes nothing; zero: it does
	wait := e.interval
	for sleep(ctx, wait) {
		err := e.send(roundTimeout)
		switch {
		case err != nil && ctx.Err() != nil:
			e.logger.WarnContext(ctx, "cannot send the last metrics to graphite", "error", err)
			return
		case err != nil:
			if trouble.IsZero() {
				trouble = time.Now()
				e.logger.WarnContext(ctx, "cannot send metrics to graphite: trying again, nothing that counts is lost", "error", err)
			}
			wait = min(2*wait, max(e.interval, backoffCap))
		case !trouble.IsZero():
			e.logger.InfoContext(ctx, "metrics are sent to graphite again", "to", e.String(), "lasted", time.Since(trouble).Round(time.Second))
			trouble, wait = time.Time{}, e.interval
		}
	}
	if err := e.send(lastTimeout); err != nil {
		e.logger.WarnContext(ctx, "cannot send the last metrics to graphite", "error", err)
	}
}

// send does one round.
func (e *Exporter) send(timeout time.Duration) error {
	return e.deliver(lines(e.Collect(e.agent), time.Now().Unix()), timeout)
}

// deliver hands a batch to carbon.
func (e *Exporter) deliver(batch []graphite.Metric, timeout time.Duration) error {
	carbon := &graphite.Graphite{Host: bracketed(e.host), Port: e.port, Protocol: "tcp", Timeout: timeout, Prefix: e.prefix}
	if err := carbon.Connect(); err != nil {
		return fmt.Errorf("cannot connect to carbon at %s:%d: %w", e.host, e.port, err)
	}
	// A copy has the same connection: to close that ends a write that hangs.
	cut := *carbon
	timer := time.AfterFunc(timeout, func() { _ = cut.Disconnect() })
	err := carbon.SendMetrics(batch)
	if !timer.Stop() {
		return fmt.Errorf("cannot send metrics to carbon at %s:%d: it took nothing for %s", e.host, e.port, timeout)
	}
	if derr := carbon.Disconnect(); err == nil {
		err = derr
	}
	if err != nil {
		return fmt.Errorf("cannot send metrics to carbon at %s:%d: %w", e.host, e.port, err)
	}
	return nil
}

// bracketed returns a host as it stands before a port.
func bracketed(host string) string {
	if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
		return "[" + host + "]"
	}
	return host
}

// sleep waits, and reports whether it waited to the end.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
