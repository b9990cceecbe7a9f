package man

import (
	"os"
	"path/filepath"
	"strings"
)

// manual says where the rest of the manual is.
const manual = "The whole manual, and examples to copy, are in */usr/share/doc/dropship*."

// Configuration makes dropship.hcl(5) from configuration.md and hooks.md in the directory docs.
func Configuration(docs string) (Page, error) {
	var parts [2]document
	for i, file := range []string{"configuration.md", "hooks.md"} {
		text, err := os.ReadFile(filepath.Join(docs, file))
		if err != nil {
			return Page{}, err
		}
		parts[i] = parse(string(text))
	}
	reference, hooks := parts[0], parts[1]

	var b strings.Builder
	b.WriteString("# DESCRIPTION\n\n" + markup(reference.preface()) + "\n")
	for _, s := range reference.sections {
		b.WriteString("# " + strings.ToUpper(s.title) + "\n\n")
		if s.title != "Hooks" {
			b.WriteString(markup(s.text()) + "\n")
			continue
		}
		// What this section says of hooks, their own page says, too.
		b.WriteString(markup(hooks.preface()) + "\n")
		for _, h := range hooks.sections {
			b.WriteString("### " + h.title + "\n\n" + markup(h.text()) + "\n")
		}
	}
	b.WriteString("# SEE ALSO\n\n**dropship**(8), **dropship-validate**(8)\n\n" + manual + "\n")
	return newPage("dropship.hcl", 5, "configuration of dropship", b.String()), nil
}
