// Package prometheus is the exporter that Prometheus scrapes: /metrics on an address of its own.
//
//	metrics "prometheus" {
//	  listen = "127.0.0.1:10747"
//	}
//
// It answers in the text format, or in OpenMetrics where a scraper asks for that. What it tells holds no secret, and
// there is no authentication: who can connect can read. Beside the metrics of package metrics there are those of the
// process (process_…) and of Go's runtime (go_…), from client_golang.
package prometheus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	client "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/dropship/metrics"
)

const (
	// headerTimeout bounds how long who connects may take to say what it wants.
	headerTimeout = 10 * time.Second
	// answerTimeout bounds the making of an answer.
	answerTimeout = 30 * time.Second
	// closeTimeout is what scrapes under way have when the agent ends.
	closeTimeout = 3 * time.Second
	// inFlight bounds the scrapes at a time; others are answered with 503.
	inFlight = 10
)

// An Exporter answers scrapes.
type Exporter struct {
	*metrics.Meter
	listen   string
	logger   *slog.Logger
	agent    *dropship.Agent
	handler  http.Handler
	listener net.Listener
}

var _ dropship.Exporter = (*Exporter)(nil)

// String returns where it listens.
func (e *Exporter) String() string { return "metrics prometheus at " + e.listen }

// Open implements dropship.Exporter: it listens.
func (e *Exporter) Open(ctx context.Context, agent *dropship.Agent) (err error) {
	e.agent = agent
	if e.handler, err = e.newHandler(); err != nil {
		return err
	}
	var config net.ListenConfig
	if e.listener, err = config.Listen(ctx, "tcp", e.listen); err != nil {
		return fmt.Errorf("cannot listen for Prometheus at %s: %w", e.listen, err)
	}
	return nil
}

// Run implements dropship.Exporter: it answers.
func (e *Exporter) Run(ctx context.Context) {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", e.handler)
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: headerTimeout, WriteTimeout: answerTimeout + headerTimeout,
		ErrorLog: slog.NewLogLogger(e.logger.Handler(), slog.LevelDebug),
	}
	closed := make(chan struct{})
	defer context.AfterFunc(ctx, func() {
		defer close(closed)
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		if server.Shutdown(last) != nil {
			_ = server.Close()
		}
	})()
	if err := server.Serve(e.listener); !errors.Is(err, http.ErrServerClosed) {
		e.logger.ErrorContext(ctx, "no metrics for Prometheus any more: restart the agent when that does no harm", "listen", e.listen, "error", err)
		<-ctx.Done()
		return
	}
	<-closed
}

func (e *Exporter) newHandler() (http.Handler, error) {
	registry := client.NewRegistry()
	for _, c := range []client.Collector{
		e, collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewGoCollector(),
	} {
		if err := registry.Register(c); err != nil {
			return nil, fmt.Errorf("cannot register metrics: %w", err)
		}
	}
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(e.logger.Handler(), slog.LevelWarn), EnableOpenMetrics: true,
		MaxRequestsInFlight: inFlight, Timeout: answerTimeout,
	}), nil
}

var descriptions = describe()

func describe() map[*metrics.Metric]*client.Desc {
	all := make(map[*metrics.Metric]*client.Desc, len(metrics.All))
	for _, m := range metrics.All {
		all[m] = client.NewDesc(m.Name, m.Help, m.Labels, nil)
	}
	return all
}

// Describe implements client_golang's Collector.
func (e *Exporter) Describe(c chan<- *client.Desc) {
	for _, d := range descriptions {
		c <- d
	}
}

// Collect implements client_golang's Collector.
func (e *Exporter) Collect(c chan<- client.Metric) {
	for _, s := range e.Meter.Collect(e.agent) {
		d := descriptions[s.Metric]
		switch s.Type {
		case metrics.Counter:
			c <- client.MustNewConstMetric(d, client.CounterValue, s.Value, s.Values...)
		case metrics.Gauge:
			c <- client.MustNewConstMetric(d, client.GaugeValue, s.Value, s.Values...)
		case metrics.Summary:
			c <- client.MustNewConstSummary(d, s.Count, s.Value, nil, s.Values...)
		}
	}
}
