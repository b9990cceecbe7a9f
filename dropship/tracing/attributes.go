package tracing

import (
	"slices"

	"go.opentelemetry.io/otel/attribute"

	"github.com/dropship/dropship/dropship"
)

// The attributes that are Dropship's own; docs/tracing.md says what they mean. What hooks print is in none: it may be
// anything, and long.
const (
	// Of every span.
	serviceKey  = attribute.Key("dropship.service")
	updateIDKey = attribute.Key("dropship.update_id")
	// Of the root.
	hashKey          = attribute.Key("dropship.hash")
	previousHashKey  = attribute.Key("dropship.previous_hash")
	installedHashKey = attribute.Key("dropship.installed_hash")
	revisionKey      = attribute.Key("dropship.revision")
	outcomeKey       = attribute.Key("dropship.outcome")
	failedStepKey    = attribute.Key("dropship.failed_step")
	slotWaitKey      = attribute.Key("dropship.slot_wait")
	byKey            = attribute.Key("dropship.by")
	reasonKey        = attribute.Key("dropship.reason")
	recoveredKey     = attribute.Key("dropship.recovered")
	// Of the root and of stage.
	bytesKey = attribute.Key("dropship.bytes")
	// Of the root and of hooks.
	statusKey = attribute.Key("dropship.status")
	// Of steps, and of the wait for a slot.
	stepKey   = attribute.Key("dropship.step")
	groupKey  = attribute.Key("dropship.group")
	aheadKey  = attribute.Key("dropship.ahead")
	holderKey = attribute.Key("dropship.holder")
	// Of hooks.
	hookKey      = attribute.Key("dropship.hook")
	hookIndexKey = attribute.Key("dropship.hook_index")
	phaseKey     = attribute.Key("dropship.phase")
)

// described returns what is known of an update when it begins.
func described(e dropship.Event) []attribute.KeyValue {
	revision := ""
	if e.Remote != nil {
		revision = e.Remote.Revision
	}
	about := present(hashKey.String(e.Hash), previousHashKey.String(e.PreviousHash), revisionKey.String(revision), byKey.String(e.By), reasonKey.String(e.Reason))
	return append(about, statusKey.String(string(e.Status)), recoveredKey.Bool(e.Recovered))
}

// present returns the attributes that are not empty.
func present(about ...attribute.KeyValue) []attribute.KeyValue {
	return slices.DeleteFunc(about, func(a attribute.KeyValue) bool { return a.Value.AsString() == "" })
}
