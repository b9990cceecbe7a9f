package graphite

import (
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"strings"
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
		e := &Exporter{Meter: metrics.NewMeter(build), logger: logger, host: b.Host, port: defaultPort, interval: defaultInterval}
		decoded := func(value hcl.Range) bool { return metrics.Decoded(diags, value) }
		if decoded(b.HostRange) {
			diags = append(diags, checkHost(b, body.MissingItemRange())...)
		}
		if decoded(b.PortRange) && b.Port != nil {
			if e.port = *b.Port; e.port < 1 || e.port > 65535 {
				diags = append(diags, metrics.Mistake(b.PortRange, "Number out of range", "port must be at least 1 and at most 65535."))
			}
		}
		if decoded(b.IntervalRange) && b.Interval != nil {
			d, err := time.ParseDuration(*b.Interval)
			if e.interval = d; err != nil || d < minInterval {
				diags = append(diags, metrics.Mistake(b.IntervalRange, "Invalid interval",
					fmt.Sprintf(`interval must be a duration such as "10s" or "1m", and at least %s.`, minInterval)))
			}
		}
		var more hcl.Diagnostics
		e.prefix, more = prefix(b, diags, body.MissingItemRange())
		if diags = append(diags, more...); diags.HasErrors() {
			return nil, diags
		}
		return e, diags
	}
}

// checkHost reports what is no host. One that may hold a password is reported at the block: the line of a diagnostic is
// printed with it.
func checkHost(b block, block hcl.Range) hcl.Diagnostics {
	switch {
	case strings.Contains(b.Host, "@"):
		return hcl.Diagnostics{metrics.Mistake(block, "Credential in the host", "Carbon knows no users: write the name or the address alone as host.")}
	case !metrics.IsHost(b.Host):
		return hcl.Diagnostics{metrics.Mistake(b.HostRange, "Invalid host",
			`The host must be the name or the address of carbon alone, such as "graphite.example.com"; what port it has is said by port.`)}
	}
	return nil
}

// prefix returns that of the block, or the default one.
func prefix(b block, diags hcl.Diagnostics, block hcl.Range) (string, hcl.Diagnostics) {
	if b.Prefix == nil {
		hostname, err := os.Hostname()
		if err != nil {
			return "", hcl.Diagnostics{metrics.Mistake(block, "No prefix", fmt.Sprintf("The name of this machine, for the prefix, cannot be told: %v. Write a prefix.", err))}
		}
		return "dropship." + part(hostname), nil
	}
	if metrics.Decoded(diags, b.PrefixRange) && !prefixPattern.MatchString(*b.Prefix) {
		return "", hcl.Diagnostics{metrics.Mistake(b.PrefixRange, "Invalid prefix", fmt.Sprintf(
			`%q is no valid prefix. Write names of letters, digits, "_", "-" and ":" with dots between them, such as "dropship.web-01".`, *b.Prefix))}
	}
	return *b.Prefix, nil
}
