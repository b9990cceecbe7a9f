package graphite

import (
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/dropship/metrics"
)

const (
	defaultPort     = 2003
	defaultInterval = 10 * time.Second
	minInterval     = time.Second
)

// block is the inside of a metrics "graphite" block.
type block struct {
	// Host (required) is the name or address of carbon, or of a relay, without a port.
	Host      string    `hcl:"host"`
	HostRange hcl.Range `hcl:"host,attr_value_range"`

	// Port (default 2003) is that of carbon's line protocol.
	Port      *int      `hcl:"port"`
	PortRange hcl.Range `hcl:"port,attr_value_range"`

	// Prefix (default "dropship.HOST", in which dots of the machine's name are "_") begins the name of each series.
	Prefix      *string   `hcl:"prefix"`
	PrefixRange hcl.Range `hcl:"prefix,attr_value_range"`

	// Interval (default "10s", at least "1s") is how often the metrics are sent.
	Interval      *string   `hcl:"interval"`
	IntervalRange hcl.Range `hcl:"interval,attr_value_range"`
}

// prefixPattern is one or more parts of a name.
var prefixPattern = regexp.MustCompile(`^[A-Za-z0-9_:-]+(\.[A-Za-z0-9_:-]+)*$`)

// New returns what makes an exporter from a metrics "graphite" block.
func New(logger *slog.Logger, build metrics.Build) func(hcl.Body, *hcl.EvalContext) (dropship.Exporter, hcl.Diagnostics) {
	return func(body hcl.Body, ectx *hcl.EvalContext) (dropship.Exporter, hcl.Diagnostics) {
		var b block
		diags := gohcl.DecodeBody(body, ectx, &b)
		if diags.HasErrors() {
			return nil, diags
		}
		e := &Exporter{Meter: metrics.NewMeter(build), logger: logger, host: b.Host, port: defaultPort, interval: defaultInterval}
		mistake := func(at hcl.Range, summary, detail string, args ...any) {
			diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(detail, args...), Subject: &at})
		}
		if !metrics.IsHost(b.Host) {
			mistake(b.HostRange, "Invalid host", `The host must be the name or the address of carbon alone, such as "graphite.example.com"; what port it has is said by port.`)
		}
		if b.Port != nil {
			e.port = *b.Port
			if e.port < 1 || e.port > 65535 {
				mistake(b.PortRange, "Number out of range", "port must be at least 1 and at most 65535.")
			}
		}
		if b.Interval != nil {
			d, err := time.ParseDuration(*b.Interval)
			if e.interval = d; err != nil || d < minInterval {
				mistake(b.IntervalRange, "Invalid interval", `interval must be a duration such as "10s" or "1m", and at least %s.`, minInterval)
			}
		}
		if b.Prefix != nil {
			e.prefix = *b.Prefix
			if !prefixPattern.MatchString(e.prefix) {
				mistake(b.PrefixRange, "Invalid prefix", `%q is no valid prefix. Write names of letters, digits, "_", "-" and ":" with dots between them, such as "dropship.web-01".`, e.prefix)
			}
		} else {
			hostname, err := os.Hostname()
			if err != nil {
				mistake(body.MissingItemRange(), "No prefix", "The name of this machine, for the prefix, cannot be told: %v. Write a prefix.", err)
			}
			e.prefix = "dropship." + part(hostname)
		}
		if diags.HasErrors() {
			return nil, diags
		}
		return e, diags
	}
}
