package config_test

import (
	"log/slog"

	"github.com/hashicorp/consul/api"
	"github.com/hashicorp/hcl/v2"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/file"
	"github.com/dropship/dropship/artifact/http"
	"github.com/dropship/dropship/artifact/s3"
	"github.com/dropship/dropship/artifact/swift"
	"github.com/dropship/dropship/dropship/config"
	"github.com/dropship/dropship/dropship/metrics"
	metricsgraphite "github.com/dropship/dropship/dropship/metrics/graphite"
	"github.com/dropship/dropship/dropship/metrics/prometheus"
	"github.com/dropship/dropship/dropship/tracing"
	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/check"
	hooksconsul "github.com/dropship/dropship/hooks/consul"
	"github.com/dropship/dropship/hooks/grafana"
	"github.com/dropship/dropship/hooks/graphite"
	"github.com/dropship/dropship/hooks/script"
	"github.com/dropship/dropship/hooks/systemd"
	"github.com/dropship/dropship/hooks/webhook"
	"github.com/dropship/dropship/lock"
	lockconsul "github.com/dropship/dropship/lock/consul"
	lockfile "github.com/dropship/dropship/lock/file"
)

// kinds are the ones that cmd/dropship has, so that what is tested here is what users meet.
func kinds() config.Kinds {
	var shared lockconsul.Connection
	consul := func() (*api.Client, error) { return shared.Client() }
	return config.Kinds{
		Consul: func(body hcl.Body, ectx *hcl.EvalContext) (diags hcl.Diagnostics) {
			shared, diags = lockconsul.Decode(body, ectx)
			return diags
		},
		Repositories: map[string]func(hcl.Body, *hcl.EvalContext) (artifact.Repository, hcl.Diagnostics){
			"s3":        s3.New,
			"swift":     swift.New,
			"rackspace": swift.NewRackspace,
			"http":      http.New,
			"file":      file.New,
		},
		Hooks: map[string]hooks.Kind{
			"script":             script.Kind(slog.New(slog.DiscardHandler)),
			"systemd":            systemd.Kind(),
			"http-check":         check.HTTPKind(),
			"tcp-check":          check.TCPKind(),
			"graphite-event":     graphite.Kind(),
			"grafana-annotation": grafana.Kind(),
			"webhook":            webhook.Kind(),
			"consul-event":       hooksconsul.EventKind(consul),
			"consul-maintenance": hooksconsul.MaintenanceKind(consul),
		},
		Lockers: map[string]func(hcl.Body, *hcl.EvalContext) (lock.Locker, hcl.Diagnostics){
			"consul": func(body hcl.Body, ectx *hcl.EvalContext) (lock.Locker, hcl.Diagnostics) {
				return lockconsul.New(shared, body, ectx)
			},
			"file": lockfile.New,
		},
		Metrics: map[string]config.NewExporter{
			"prometheus": prometheus.New(slog.New(slog.DiscardHandler), metrics.Build{}),
			"graphite":   metricsgraphite.New(slog.New(slog.DiscardHandler), metrics.Build{}),
		},
		Tracing: map[string]config.NewExporter{
			"otlp": tracing.OTLP("0", slog.New(slog.DiscardHandler)),
		},
	}
}
