package config

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// credentials are those in the text of one file, found by its tokens.
type credentials struct {
	tokens  hclsyntax.Tokens
	hidden  []hcl.Range  // values of attributes that hold credentials
	shown   map[int]bool // lines where such a value is taken from elsewhere
	secrets []string     // the literals among them
	literal *hcl.Range   // the first attribute with such a literal, or URL with a password in it
}

func findCredentials(path string, text []byte) *credentials {
	c := &credentials{shown: make(map[int]bool)}
	c.tokens, _ = hclsyntax.LexConfig(text, path, hcl.InitialPos)
	for i, name := range c.tokens {
		c.find(i, name)
	}
	return c
}

// mayHoldCredential reports whether there can be a credential in text that is worth a warning. It takes a fraction of the
// time of finding one.
func mayHoldCredential(text []byte) bool {
	lower := bytes.ToLower(text)
	has := func(part string) bool { return bytes.Contains(lower, []byte(part)) }
	return slices.ContainsFunc(credentialWords, has) || has("key") || has("://") && has("@")
}

// find hides what follows the token at i, if that is the name of a credential.
func (c *credentials) find(i int, name hclsyntax.Token) {
	quoted := name.Type == hclsyntax.TokenQuotedLit
	if m := userInfo.FindSubmatch(name.Bytes); m != nil && (quoted || name.Type == hclsyntax.TokenStringLit) {
		c.secrets = append(c.secrets, string(m[1]))
		c.warnOf(name)
	}
	if !quoted && name.Type != hclsyntax.TokenIdent {
		return
	}
	before, value := c.tokens[:i], c.tokens[i+1:]
	if quoted && i > 0 && len(value) > 0 {
		before, value = c.tokens[:i-1], value[1:] // its quotes
	}
	assigned := len(value) > 0 && (value[0].Type == hclsyntax.TokenEqual || value[0].Type == hclsyntax.TokenColon)
	if assigned {
		value = value[1:]
	}
	word := string(name.Bytes)
	switch {
	case holdsSecret(word) && assigned && newLine(before) && elsewhere(value):
		c.shown[name.Range.Start.Line] = true
		return
	case holdsSecret(word) && (assigned || !quoted && newItem(before)): // with the equals sign forgotten, too
	case word == "url" && newItem(before) && inWebhook(before): // whoever has it can write there
	case quoted && assigned && newItem(before): // as in a map of headers, or of an environment, whatever the name
	default:
		return
	}
	literals := c.hide(value)
	c.secrets = append(c.secrets, literals...)
	if len(literals) > 0 && holdsSecret(word) && !slices.Contains(doubtful, strings.ToLower(word)) {
		c.warnOf(name)
	}
}

// inWebhook reports whether what follows tokens is right inside of a block labelled "webhook".
func inWebhook(tokens hclsyntax.Tokens) bool {
	depth := 0
	for i, token := range slices.Backward(tokens) {
		switch token.Type {
		case hclsyntax.TokenCBrace, hclsyntax.TokenTemplateSeqEnd:
			depth++
		case hclsyntax.TokenOBrace, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			depth--
		}
		if depth < 0 {
			return i > 1 && string(tokens[i-2].Bytes) == "webhook"
		}
	}
	return false
}

// warnOf remembers where the first credential stands in the file.
func (c *credentials) warnOf(at hclsyntax.Token) {
	if c.literal == nil {
		c.literal = &at.Range
	}
}

// hideArgument hides the value of the argument whose name begins at start.
func (c *credentials) hideArgument(start int) {
	i, ok := slices.BinarySearchFunc(c.tokens, start, func(t hclsyntax.Token, start int) int { return t.Range.Start.Byte - start })
	if ok && i+2 < len(c.tokens) {
		c.hide(c.tokens[i+2:])
	}
}

// hides reports whether all of a range is hidden.
func (c *credentials) hides(r hcl.Range) bool {
	return slices.ContainsFunc(c.hidden, func(h hcl.Range) bool {
		return h.Start.Byte <= r.Start.Byte && r.End.Byte <= h.End.Byte
	})
}

// holds reports whether what is at r becomes a credential, or may.
func (c *credentials) holds(r hcl.Range) bool { return c.shown[r.Start.Line] || c.hides(r) }

// newLine reports whether what follows tokens is the first on its line.
func newLine(tokens hclsyntax.Tokens) bool {
	return len(tokens) == 0 || bytes.HasSuffix(tokens[len(tokens)-1].Bytes, []byte("\n"))
}

// newItem reports whether what follows tokens is the first of an argument or an item.
func newItem(tokens hclsyntax.Tokens) bool {
	if newLine(tokens) {
		return true
	}
	last := tokens[len(tokens)-1].Type
	return last == hclsyntax.TokenOBrace || last == hclsyntax.TokenComma
}

// elsewhere reports whether a value is env("NAME") or file("path") and nothing more, which tells nobody the
// credential, and tells much to whoever has not set NAME.
func elsewhere(tokens hclsyntax.Tokens) bool {
	call := []hclsyntax.TokenType{
		hclsyntax.TokenIdent, hclsyntax.TokenOParen,
		hclsyntax.TokenOQuote, hclsyntax.TokenQuotedLit, hclsyntax.TokenCQuote,
		hclsyntax.TokenCParen, hclsyntax.TokenNewline,
	}
	if len(tokens) < len(call) {
		return false
	}
	for i, want := range call {
		if tokens[i].Type != want {
			return false
		}
	}
	name := string(tokens[0].Bytes)
	return name == envFunction || name == fileFunction
}

// hide hides the expression that tokens begin with: to the end of its line, or of the last line that a
// heredoc or a bracket makes it reach. It returns the literals in it, none where it calls a function:
// what that is given, env("NAME") say, is no credential, and messages need it.
func (c *credentials) hide(tokens hclsyntax.Tokens) (literals []string) {
	depth, calls, end := 0, false, 0
	for _, token := range tokens {
		switch token.Type {
		case hclsyntax.TokenOParen:
			calls = true
			depth++
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOHeredoc, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			depth++
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenCHeredoc, hclsyntax.TokenTemplateSeqEnd:
			depth--
		case hclsyntax.TokenQuotedLit, hclsyntax.TokenStringLit:
			literals = append(literals, strings.TrimSpace(string(token.Bytes)))
		}
		if depth <= 0 && (token.Type == hclsyntax.TokenNewline || token.Type == hclsyntax.TokenEOF) {
			break
		}
		end++
	}
	if end > 0 {
		c.hidden = append(c.hidden, hcl.RangeBetween(tokens[0].Range, tokens[end-1].Range))
	}
	if calls {
		return nil
	}
	return literals
}

// holdsSecret reports whether an attribute of that name holds a credential.
func holdsSecret(name string) bool {
	name = strings.ToLower(name)
	if strings.HasSuffix(name, "file") || strings.HasSuffix(name, "path") {
		return false
	}
	for _, word := range credentialWords {
		if strings.Contains(name, word) {
			return true
		}
	}
	return strings.HasSuffix(name, "key") || slices.Contains(doubtful, name)
}

var credentialWords = []string{"secret", "token", "password", "passwd", "credential", "authorization"}

// doubtful attributes may hold a credential, or nothing of the kind: not shown, but no reason to warn.
var doubtful = []string{"accesskey", "headers", "env"}

// userInfo is a name and a password in a URL.
var userInfo = regexp.MustCompile(`://[^/\s"@:]*:([^/\s"@]+)@`)
