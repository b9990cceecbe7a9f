package hooks

import (
	"fmt"
	"strings"
	"text/template"
)

// Environ returns the event as environment variables, DROPSHIP_NAME=… and so on, one for each field,
// in the order of Event; empty fields are set to nothing, so that no value of an outer process shines through.
func (e Event) Environ() []string {
	return []string{
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
}

// A Template is a Go text/template over an Event. It is parsed once, and rendered anew for every event.
type Template struct{ t *template.Template }

// ParseTemplate parses text and tries it on an empty Event, so that a field that does not exist is an
// error when the configuration is loaded and not in the middle of an update.
func ParseTemplate(text string) (*Template, error) {
	t, err := template.New("template").Option("missingkey=error").Parse(text)
	if err != nil {
		return nil, fmt.Errorf("cannot parse template: %s", strings.TrimPrefix(err.Error(), "template: "))
	}
	p := &Template{t}
	if _, err := p.Render(Event{}); err != nil {
		return nil, err
	}
	return p, nil
}

// Render returns the template's text for ev.
func (t *Template) Render(ev Event) (string, error) {
	var b strings.Builder
	if err := t.t.Execute(&b, ev); err != nil {
		return "", fmt.Errorf("cannot render template: %s", strings.TrimPrefix(err.Error(), "template: "))
	}
	return b.String(), nil
}
