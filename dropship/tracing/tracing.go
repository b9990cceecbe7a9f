// Package tracing makes OpenTelemetry traces of updates, and sends them to a collector or a backend by OTLP over HTTP, in
// protobuf.
//
//	tracing "otlp" {
//	  endpoint = "https://otlp.example.com"
//	  headers  = { Authorization = "Bearer ${env("OTLP_TOKEN")}" }
//	}
//
// Each update is one trace: a root span, below it one for each step, and below the steps before and after one for each
// hook that runs in them. They begin and end when the events of package dropship say. docs/tracing.md names every span and
// attribute.
//
// Spans wait in memory, 2,048 at the most, and are sent every few seconds by a goroutine of its own. A request that a
// server cannot take at the moment (429, 502, 503, 504), or that did not arrive, is repeated for up to a minute; then,
// and after any other answer, its spans are lost. So no update ever waits for a server, and none fails for it.
package tracing

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/dropship/dropship/dropship"
)

const (
	// scope names what makes the spans.
	scope = "github.com/dropship/dropship/dropship/tracing"
	// flushTime is how long the last spans may take when the agent stops.
	flushTime = 5 * time.Second
)

// An Exporter sends a trace of each update. It does nothing, and keeps no goroutine, before its first event or Run.
type Exporter struct {
	client   *client
	version  string
	logger   *slog.Logger
	once     sync.Once
	provider *trace.TracerProvider
	updates  *updates
}

var _ dropship.Exporter = (*Exporter)(nil)

// String returns "tracing otlp " and the server that traces are sent to.
func (e *Exporter) String() string { return "tracing otlp " + e.client.host() }

// Observe implements dropship.Observer.
func (e *Exporter) Observe(event dropship.Event) {
	e.start()
	e.updates.observe(event)
}

// Open implements dropship.Exporter. It never fails: the server may come up later.
func (e *Exporter) Open(context.Context, *dropship.Agent) error { return nil }

// Run sends spans until ctx ends, and then, for 5 seconds at the most, those that are left. A server that cannot be
// reached is logged, at most once a minute.
func (e *Exporter) Run(ctx context.Context) {
	e.start()
	<-ctx.Done()
	e.client.stop()
	defer time.AfterFunc(flushTime, e.client.cancel).Stop()
	err := e.provider.Shutdown(context.WithoutCancel(ctx)) // returns soon after the cancel
	e.client.close()
	if err != nil {
		e.logger.WarnContext(ctx, "cannot end the sending of traces in order", "error", err)
	}
}

// start makes what turns events into spans and sends them, once.
func (e *Exporter) start() {
	e.once.Do(func() {
		// What goes wrong inside of the SDK, such as an environment variable that it cannot read, would be printed.
		otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { e.logger.Warn("trouble with traces", "error", err) }))
		ctx := context.Background()
		what, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithHost(),
			resource.WithAttributes(semconv.ServiceName("dropship"), semconv.ServiceVersion(e.version)))
		if err != nil {
			otel.Handle(err)
		}
		e.provider = trace.NewTracerProvider(
			trace.WithResource(what),
			trace.WithBatcher(otlptrace.NewUnstarted(e.client), trace.WithExportTimeout(sendTime)),
		)
		e.updates = newUpdates(e.provider.Tracer(scope, oteltrace.WithInstrumentationVersion(e.version)))
	})
}
