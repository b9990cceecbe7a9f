package config

import (
	"bytes"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// A source is the text of one file, and which of it must not be printed.
type source struct {
	text    []byte
	hidden  []hcl.Range  // values of attributes that hold credentials
	shown   map[int]bool // lines where such a value is taken from elsewhere
	secrets []string     // the literals among them
	literal *hcl.Range   // the name of the first attribute with such a literal
}

func newSource(path string, text []byte) *source {
	src := &source{text: text, shown: make(map[int]bool)}
	tokens, _ := hclsyntax.LexConfig(text, path, hcl.InitialPos)
	for i := 0; i+1 < len(tokens); i++ {
		name := tokens[i]
		if name.Type != hclsyntax.TokenIdent && name.Type != hclsyntax.TokenQuotedLit || !holdsSecret(string(name.Bytes)) {
			continue
		}
		value := i + 1
		if tokens[value].Type == hclsyntax.TokenCQuote {
			value++
		}
		if value+1 < len(tokens) && (tokens[value].Type == hclsyntax.TokenEqual || tokens[value].Type == hclsyntax.TokenColon) {
			if newLine(tokens[:i]) && elsewhere(tokens[value+1:]) {
				src.shown[name.Range.Start.Line] = true
				continue
			}
			src.hide(name, tokens[value+1:])
		}
	}
	return src
}

// newLine reports whether what follows tokens is the first on its line.
func newLine(tokens hclsyntax.Tokens) bool {
	return len(tokens) == 0 || bytes.HasSuffix(tokens[len(tokens)-1].Bytes, []byte("\n"))
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
	return true
}

// hide hides the expression that tokens begin with: to the end of its line, or of the last line that a
// heredoc or a bracket makes it reach.
func (s *source) hide(name hclsyntax.Token, tokens hclsyntax.Tokens) {
	depth, calls := 0, false
	var literals []string
	for i, token := range tokens {
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
		if depth > 0 || token.Type != hclsyntax.TokenNewline && token.Type != hclsyntax.TokenEOF {
			continue
		}
		s.hidden = append(s.hidden, hcl.RangeBetween(tokens[0].Range, tokens[max(i-1, 0)].Range))
		// What a call is given, env("NAME") say, is no credential, and messages need it.
		if !calls && len(literals) > 0 {
			s.secrets = append(s.secrets, literals...)
			if s.literal == nil && !slices.Contains(doubtful, strings.ToLower(string(name.Bytes))) {
				s.literal = &name.Range
			}
		}
		return
	}
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

const redacted = "(redacted)"

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
	line := strings.TrimSuffix(string(s.text[start:end]), "\r")
	faithful := len(line)
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
	for _, pattern := range linePatterns {
		if m := pattern.FindStringSubmatchIndex(line[:min(faithful, len(line))]); m != nil {
			faithful = m[3]
		}
		line = pattern.ReplaceAllString(line, "${1}"+redacted)
	}
	return line, min(faithful, len(line))
}

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

// shortest is how long a value must be to be taken out of messages: a shorter one is no credential, and
// would take the sense out of them. So would the words that messages are made of, where a placeholder
// stands in an example.
const shortest = 4

// newRedactor takes values out of messages, whichever way they are written.
func newRedactor(values []string) *strings.Replacer {
	var pairs []string
	for _, value := range longestFirst(values) {
		if len(value) < shortest || slices.Contains(credentialWords, value) {
			continue
		}
		pairs = append(pairs, value, redacted)
		if q := strconv.Quote(value); q[1:len(q)-1] != value {
			pairs = append(pairs, q[1:len(q)-1], redacted)
		}
	}
	return strings.NewReplacer(pairs...)
}
