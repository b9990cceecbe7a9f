package graphite

import (
	"time"

	"github.com/marpaia/graphite-golang"

	"github.com/dropship/dropship/dropship"
)

// Deliver delivers a batch of so many series.
func Deliver(e dropship.Exporter, series int, timeout time.Duration) error {
	batch := make([]graphite.Metric, series)
	for i := range batch {
		batch[i] = graphite.NewMetric("services.web.updates.update.rolled_back", "1", 1)
	}
	return e.(*Exporter).deliver(batch, timeout)
}
