package tracing

import (
	"net/http"

	"github.com/dropship/dropship/dropship"
)

// Through has an exporter send its requests through something else than a network.
func Through(e dropship.Exporter, transport http.RoundTripper) {
	e.(*Exporter).client.http.Transport = transport
}
