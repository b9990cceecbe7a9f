package dropship

import (
	"strings"
	"unicode"
)

// Printable returns text as part of one line that people read, whoever may have written it: what a terminal would obey,
// or would not show, such as what turns the direction of writing, is a space there.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) {
			return r
		}
		return ' '
	}, text)
}
