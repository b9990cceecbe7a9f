package config

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// A source is the text of one file, and which of it must not be printed.
type source struct {
	text    []byte
	broken  bool // it does not parse
	tokens  hclsyntax.Tokens
	hidden  []hcl.Range  // values of attributes that hold credentials
	shown   map[int]bool // lines where such a value is taken from elsewhere
	secrets []string     // the literals among them
	literal *hcl.Range   // the first attribute with such a literal, or URL with a password in it
}

func newSource(path string, text []byte) *source {
	src := &source{text: text, shown: make(map[int]bool)}
	src.tokens, _ = hclsyntax.LexConfig(text, path, hcl.InitialPos)
	for i, name := range src.tokens {
		src.findCredential(i, name)
	}
	return src
}

// findCredential hides what follows the token at i, if that is the name of a credential.
func (s *source) findCredential(i int, name hclsyntax.Token) {
	quoted := name.Type == hclsyntax.TokenQuotedLit
	if m := userInfo.FindSubmatch(name.Bytes); m != nil && (quoted || name.Type == hclsyntax.TokenStringLit) {
		s.secrets = append(s.secrets, string(m[1]))
		s.warnOf(name)
	}
	if !quoted && name.Type != hclsyntax.TokenIdent {
		return
	}
	before, value := s.tokens[:i], s.tokens[i+1:]
	if quoted && i > 0 && len(value) > 0 {
		before, value = s.tokens[:i-1], value[1:] // its quotes
	}
	assigned := len(value) > 0 && (value[0].Type == hclsyntax.TokenEqual || value[0].Type == hclsyntax.TokenColon)
	if assigned {
		value = value[1:]
	}
	word := string(name.Bytes)
	switch {
	case holdsSecret(word) && assigned && newLine(before) && elsewhere(value):
		s.shown[name.Range.Start.Line] = true
		return
	case holdsSecret(word) && (assigned || !quoted && newItem(before)): // with the equals sign forgotten, too
	case word == "url" && newItem(before) && inWebhook(before): // whoever has it can write there
	case quoted && assigned && newItem(before): // as in a map of headers, or of an environment, whatever the name
	default:
		return
	}
	literals := s.hide(value)
	s.secrets = append(s.secrets, literals...)
	if len(literals) > 0 && holdsSecret(word) && !slices.Contains(doubtful, strings.ToLower(word)) {
		s.warnOf(name)
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
func (s *source) warnOf(at hclsyntax.Token) {
	if s.literal == nil {
		s.literal = &at.Range
	}
}

// hideArgument hides the value of the argument whose name begins at start.
func (s *source) hideArgument(start int) {
	i := slices.IndexFunc(s.tokens, func(t hclsyntax.Token) bool { return t.Range.Start.Byte == start })
	if i >= 0 && i+2 < len(s.tokens) {
		s.hide(s.tokens[i+2:])
	}
}

// hides reports whether all of a range is hidden.
func (s *source) hides(r hcl.Range) bool {
	return slices.ContainsFunc(s.hidden, func(h hcl.Range) bool {
		return h.Start.Byte <= r.Start.Byte && r.End.Byte <= h.End.Byte
	})
}

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
func (s *source) hide(tokens hclsyntax.Tokens) (literals []string) {
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
		s.hidden = append(s.hidden, hcl.RangeBetween(tokens[0].Range, tokens[end-1].Range))
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

// In a file that does not parse nothing can be told by its syntax, and credentials stand in places that
// no name announces; these find them in a single line.
var linePatterns = []*regexp.Regexp{
	regexp.MustCompile(`(?i)((?:secret|token|password|passwd|credential|authorization|key)[\w-]*"?\s*[=:]\s*).*`),
	regexp.MustCompile(`(\b(?:headers|env)\s*=\s*).*`),
	regexp.MustCompile(`(://)[^/\s"@]*@`),
	regexp.MustCompile(`(://[^\s"?]*\?)[^\s"]*`),
}

// line returns the text of a line, counted from 1, fit to print, and how many of its bytes, from its
// start, are as they are in the file.
func (s *source) line(number int) (string, int) {
	start := s.lineStart(number)
	end := len(s.text)
	if i := bytes.IndexByte(s.text[start:], '\n'); i >= 0 {
		end = start + i
	}
	raw := strings.TrimSuffix(string(s.text[start:end]), "\r")
	line, faithful := raw, len(raw)
	for _, h := range s.hidden {
		if h.Start.Byte >= end || h.End.Byte <= start {
			continue
		}
		faithful = min(faithful, max(h.Start.Byte-start, 0))
		line = line[:faithful] + redacted
	}
	if s.shown[number] {
		return line, faithful
	}
	if s.broken {
		if n := harmless(raw); n < faithful {
			return line[:n] + redacted, n
		}
	}
	for _, pattern := range linePatterns {
		if m := pattern.FindStringSubmatchIndex(line[:min(faithful, len(line))]); m != nil {
			faithful = m[3]
		}
		line = pattern.ReplaceAllString(line, "${1}"+redacted)
	}
	return line, min(faithful, len(line))
}

// harmless returns how many bytes of a line can be shown in a file that does not parse: all where it begins
// a block, sets an attribute that holds no credential, or has no word; else what stands before a value.
// There, the name of a credential may be torn, or that of another attribute stand before its value.
func harmless(line string) int {
	name := strings.TrimSpace(firstWord.FindString(line))
	equals := strings.Count(line, "=")
	switch {
	case equals == 0 && slices.Contains(ownBlocks, name), equals == 1 && slices.Contains(harmlessNames, name), !anyWord.MatchString(line):
		return len(line)
	case equals > 0 && slices.Contains(ownBlocks, name):
		return len(upToEquals.FindString(line))
	}
	if m := upToValue.FindStringSubmatch(line); m != nil {
		return len(m[1] + m[2])
	}
	return 0
}

var (
	firstWord     = regexp.MustCompile(`^\s*[\w-]*`)
	anyWord       = regexp.MustCompile(`\w`)
	upToEquals    = regexp.MustCompile(`^[^=]*=\s*`)
	upToValue     = regexp.MustCompile(`^(\s*[\w"-]+\s*[=:]\s*)[^\s=]|^(\s*[\w-]+\s+)"`)
	harmlessNames = append([]string{"bucket", "command", "name", "path"}, ownAttributes...)
)

// lineStart returns the offset of a line, counted from 1; of the text's end, where there is no such line.
func (s *source) lineStart(number int) int {
	start := 0
	for range number - 1 {
		i := bytes.IndexByte(s.text[start:], '\n')
		if i < 0 {
			return len(s.text)
		}
		start += i + 1
	}
	return start
}
