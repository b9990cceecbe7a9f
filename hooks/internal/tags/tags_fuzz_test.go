// The tests of this file are in the package itself: they are of tags as they are before they are sent.

package tags

import (
	"strings"
	"testing"
	"unicode"

	"github.com/dropship/dropship/hooks"
)

// FuzzTags wants that of any text, as one string or as one of a list, there are tags that Graphite and Grafana can keep: none
// empty, none with a space, each once, and the service's name among them.
func FuzzTags(f *testing.F) {
	for _, text := range []string{
		"", "deployment web", "a,b", " , ,", "deployment {{.Name}} {{.Status}}", "{{.Hash}},{{.Hash}}", "two words\tand\nlines",
		"\u00a0\u2003x\u0085", "\xff \xfe", "{{.Error}}", "{{", "web web web",
	} {
		f.Add(text, "web", "it, failed")
	}
	f.Add("a", " two words ", "")
	f.Add("a", "", "\x00")
	f.Fuzz(func(t *testing.T, text, name, failure string) {
		if strings.Contains(text, "range") {
			t.Skip("a range takes as long as its author wants")
		}
		template, err := hooks.ParseTemplate(text)
		if err != nil {
			t.Skip("it is no template")
		}
		ev := hooks.Event{Name: name, Error: failure, Hash: "0123", Status: hooks.StatusFailed}
		for _, split := range []bool{true, false} {
			got, err := Tags{templates: []*hooks.Template{template, template}, split: split}.Render(ev)
			if err != nil {
				if got != nil {
					t.Errorf("got %q with the error %v", got, err)
				}
				continue
			}
			named := 0
			seen := map[string]bool{}
			for _, tag := range got {
				if tag == "" || strings.ContainsFunc(tag, unicode.IsSpace) || seen[tag] {
					t.Errorf("split %t: got the tag %q in %q", split, tag, got)
				}
				seen[tag] = true
				if tag == strings.Join(strings.Fields(name), "_") {
					named++
				}
			}
			if want := min(1, len(strings.Fields(name))); named != want {
				t.Errorf("split %t: got the name %q %d times in %q, want %d", split, name, named, got, want)
			}
		}
	})
}
