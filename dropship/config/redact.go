package config

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2/gohcl"
)

const redacted = "(redacted)"

// A redactor takes credentials out of messages. One that is a word of something known, the path of a file
// say, stays where it is that word: with a hole in it, the known would tell the credential.
type redactor struct {
	secrets []string
	known   []string
}

// shortest is how long a value must be to be taken out of messages: a shorter one is no credential, and
// would take the sense out of them.
const shortest = 4

func newRedactor(secrets, known []string) redactor {
	r := redactor{known: slices.DeleteFunc(slices.Concat(ownWords, known), func(s string) bool { return s == "" })}
	for _, secret := range secrets {
		if len(secret) < shortest {
			continue
		}
		r.secrets = append(r.secrets, secret)
		if q := strconv.Quote(secret); q[1:len(q)-1] != secret { // as messages write it
			r.secrets = append(r.secrets, q[1:len(q)-1])
		}
	}
	return r
}

// ownBlocks and ownAttributes are the types and names of all those that no kind brings.
var ownBlocks, ownAttributes = ownNames()

func ownNames() (blocks, attributes []string) {
	for _, block := range []any{rootBlock{}, repoBlock{}, serviceBlock{}, hookBlock{}, artifactBlock{}} {
		schema, _ := gohcl.ImpliedBodySchema(block)
		for _, b := range schema.Blocks {
			blocks = append(blocks, b.Type)
		}
		for _, a := range schema.Attributes {
			attributes = append(attributes, a.Name)
		}
	}
	return blocks, attributes
}

// ownWords are what Dropship itself writes into messages, and a placeholder in an example may be, too.
var ownWords = slices.Concat(credentialWords, ownBlocks, ownAttributes, []string{"Dropship", "dropship", "true", "false", "block", redacted})

func (r redactor) redact(text string) string {
	known := spans(text, r.known)
	var b strings.Builder
	done := 0
	for _, secret := range spans(text, r.secrets) {
		if slices.ContainsFunc(known, secret.within) {
			continue
		}
		if secret.start >= done {
			b.WriteString(text[done:secret.start])
			b.WriteString(redacted)
		}
		done = max(done, secret.end)
	}
	b.WriteString(text[done:])
	return b.String()
}

// A span is a part of a text, in bytes.
type span struct{ start, end int }

func (s span) within(other span) bool { return other.start <= s.start && s.end <= other.end }

// spans returns everywhere that any of values stands in text, in order.
func spans(text string, values []string) []span {
	var found []span
	for _, value := range values {
		for from := 0; ; {
			i := strings.Index(text[from:], value)
			if i < 0 {
				break
			}
			found = append(found, span{from + i, from + i + len(value)})
			from += i + 1
		}
	}
	slices.SortFunc(found, func(a, b span) int { return cmp.Compare(a.start, b.start) })
	return found
}
