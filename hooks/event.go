package hooks

import (
	"encoding/json"
	"strings"
	"time"
)

// Environ returns the event as environment variables, DROPSHIP_NAME=… and so on, one for each field,
// in the order of Event; empty fields are set to nothing, so that no value of an outer process shines through.
func (e Event) Environ() []string {
	vars := []string{
		"DROPSHIP_NAME=" + e.Name,
		"DROPSHIP_HOSTNAME=" + e.Hostname,
		"DROPSHIP_HASH=" + e.Hash,
		"DROPSHIP_PREVIOUS_HASH=" + e.PreviousHash,
		"DROPSHIP_PHASE=" + string(e.Phase),
		"DROPSHIP_STATUS=" + string(e.Status),
		"DROPSHIP_ERROR=" + e.Error,
		"DROPSHIP_ARTIFACT=" + e.Artifact,
		"DROPSHIP_DESTINATION=" + e.Destination,
		"DROPSHIP_UPDATE_ID=" + e.UpdateID,
		"DROPSHIP_STARTED=" + stamp{e.Started}.String(),
	}
	// An error may quote bytes of any program; one NUL among them would keep every script from starting.
	for i, v := range vars {
		vars[i] = strings.ReplaceAll(v, "\x00", "")
	}
	return vars
}

// fields is an Event as templates see it: the time in it prints as scripts get it.
type fields struct {
	Event
	Started stamp
}

// A stamp is a time that prints in RFC 3339, in UTC, to the second; nothing if it is zero.
type stamp struct{ time.Time }

// String implements fmt.Stringer.
func (s stamp) String() string {
	if s.IsZero() {
		return ""
	}
	return s.UTC().Format(time.RFC3339)
}

// MarshalJSON implements json.Marshaler.
func (s stamp) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }
