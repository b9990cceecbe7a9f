// Package man makes the manual pages from what the program and the manual in docs/ say already: the pages of the
// commands from their own help, dropship.hcl(5) from the reference of the configuration. `make man` runs it, and a test
// in cmd/dropship fails where the committed pages are not what it makes.
package man

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/cpuguy83/go-md2man/v2/md2man"
)

// date stands at the foot of every page. It is fixed, so that the same sources make the same pages.
const date = "2026-11-21"

// A Page is one manual page.
type Page struct {
	File string // its file's name: dropship.8
	Roff []byte
}

// newPage makes a page from its name, its section, one line about it, and its text in Markdown.
func newPage(name string, section int, summary, text string) Page {
	head := fmt.Sprintf("%% %q %q %q %q %q\n# NAME\n%s - %s\n\n", strings.ToUpper(name), fmt.Sprint(section), date, "Dropship", "Dropship", name, summary)
	return Page{File: fmt.Sprintf("%s.%d", name, section), Roff: tidy(md2man.Render([]byte(head + text)))}
}

var (
	blankLines = regexp.MustCompile(`\n{2,}`)
	emptyPara  = regexp.MustCompile(`(?m)^(\.S[HS] .*)\n\.PP\n`)
)

// tidy leaves the same text without what man's formatters warn of: blank lines outside of examples, paragraphs without
// text. A hyphen becomes the one that can be copied into a shell, and examples are indented.
func tidy(roff []byte) []byte {
	var out strings.Builder
	for i, part := range strings.Split(string(roff), "\n.EX\n") {
		example, text := "", part
		if i > 0 {
			example, text, _ = strings.Cut(part, ".EE\n")
			fmt.Fprintf(&out, "\n.sp\n.RS 4\n.EX\n%s.EE\n.RE\n", escapeHyphens(example))
		}
		text = blankLines.ReplaceAllString(escapeHyphens(text), "\n")
		text = emptyPara.ReplaceAllString(text, "$1\n")
		out.WriteString(strings.Trim(text, "\n"))
	}
	return []byte(out.String() + "\n")
}

func escapeHyphens(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") { // a request, not text
			continue
		}
		lines[i] = strings.ReplaceAll(strings.ReplaceAll(line, `\-`, "-"), "-", `\-`)
	}
	return strings.Join(lines, "\n")
}
