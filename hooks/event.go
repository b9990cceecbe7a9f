package hooks

import "strings"

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
	}
	// An error may quote bytes of any program; one NUL among them would keep every script from starting.
	for i, v := range vars {
		vars[i] = strings.ReplaceAll(v, "\x00", "")
	}
	return vars
}
