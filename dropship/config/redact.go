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
	secrets words
	known   words
}

// shortest is how long a value must be to be taken out of messages: a shorter one is no credential, and
// would take the sense out of them.
const shortest = 4

func newRedactor(secrets, known []string) redactor {
	r := redactor{secrets: make(words), known: make(words)}
	for _, word := range slices.Concat(ownWords, known) {
		if word != "" {
			r.known.add(word)
		}
	}
	for _, secret := range secrets {
		if len(secret) < shortest {
			continue
		}
		r.secrets.add(secret)
		q := strconv.Quote(secret) // as messages write it
		r.secrets.add(q[1 : len(q)-1])
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
	secrets := r.secrets.in(text)
	if len(secrets) == 0 {
		return text
	}
	known := r.known.in(text)
	var b strings.Builder
	done := 0
	for _, secret := range secrets {
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

// words are sets of words by their length. To find them in a text takes the same time however many there are of a length.
type words map[int]map[string]bool

func (w words) add(word string) {
	if w[len(word)] == nil {
		w[len(word)] = make(map[string]bool)
	}
	w[len(word)][word] = true
}

// in returns everywhere that any of the words stands in text, in order.
func (w words) in(text string) []span {
	var found []span
	for length, of := range w {
		for start := range len(text) - length + 1 {
			if of[text[start:start+length]] {
				found = append(found, span{start, start + length})
			}
		}
	}
	slices.SortFunc(found, func(a, b span) int { return cmp.Compare(a.start, b.start) })
	return found
}
