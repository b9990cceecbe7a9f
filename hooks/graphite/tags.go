package graphite

import (
	"slices"
	"strings"
	"unicode"

	"github.com/dropship/dropship/hooks"
)

// tags are the templates of an event's tags.
type tags struct {
	templates []*hooks.Template
	split     bool // the one template renders to several tags
}

// render returns the tags of one event, the service's name among them: each once, none empty, none with a
// space in it. They are made anew for every event.
func (t tags) render(ev hooks.Event) ([]string, error) {
	var all []string
	for _, template := range t.templates {
		text, err := template.Render(ev)
		if err != nil {
			return nil, err
		}
		if t.split {
			all = append(all, strings.FieldsFunc(text, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })...)
			continue
		}
		all = append(all, text)
	}
	all = append(all, ev.Name)

	var tags []string
	for _, tag := range all {
		tag = strings.Join(strings.Fields(tag), "_")
		if tag != "" && !slices.Contains(tags, tag) {
			tags = append(tags, tag)
		}
	}
	return tags, nil
}
