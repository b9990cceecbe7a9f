package prometheus

import (
	"fmt"
	"log/slog"
	"net"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/dropship/metrics"
)

// DefaultListen is where the exporter listens unless its block says otherwise. The port is outside of 9100 to 9999, which
// Prometheus' list of default ports has all given away.
const DefaultListen = "127.0.0.1:10747"

// block is the inside of a metrics "prometheus" block.
type block struct {
	// Listen (default DefaultListen) is an address and a port, "127.0.0.1:10747"; without an address, ":10747", that
	// port of all.
	Listen      *string   `hcl:"listen"`
	ListenRange hcl.Range `hcl:"listen,attr_value_range"`
}

// New returns what makes an exporter from a metrics "prometheus" block.
func New(logger *slog.Logger, build metrics.Build) func(hcl.Body, *hcl.EvalContext) (dropship.Exporter, hcl.Diagnostics) {
	return func(body hcl.Body, ectx *hcl.EvalContext) (dropship.Exporter, hcl.Diagnostics) {
		var b block
		diags := gohcl.DecodeBody(body, ectx, &b)
		e := &Exporter{Meter: metrics.NewMeter(build), listen: DefaultListen, logger: logger}
		if b.Listen != nil && metrics.Decoded(diags, b.ListenRange) {
			if e.listen = *b.Listen; !isAddress(e.listen) {
				diags = append(diags, metrics.Mistake(b.ListenRange, "Invalid listen",
					fmt.Sprintf("%q is no address to listen at. Write an address of this machine and a port, as in %q.", e.listen, DefaultListen)))
			}
		}
		if diags.HasErrors() {
			return nil, diags
		}
		return e, diags
	}
}

// isAddress reports whether s is a host, or nothing, and a port.
func isAddress(s string) bool {
	host, port, err := net.SplitHostPort(s)
	n, portErr := strconv.ParseUint(port, 10, 16)
	return err == nil && portErr == nil && n > 0 && (host == "" || metrics.IsHost(host))
}
