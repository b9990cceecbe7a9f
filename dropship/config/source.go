package config

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
)

// A source is the text of one file.
type source struct {
	path   string
	text   []byte
	broken bool         // it does not parse
	found  *credentials // once somebody asked
	lines  []int        // where they begin, once somebody asked
}

func newSource(path string, text []byte) *source { return &source{path: path, text: text} }

// credentials returns which of the text must not be printed. They are found when first asked for: of most files nothing
// is ever printed.
func (s *source) credentials() *credentials {
	if s.found == nil {
		s.found = findCredentials(s.path, s.text)
	}
	return s.found
}

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
	c := s.credentials()
	for _, h := range c.hidden {
		if h.Start.Byte >= end || h.End.Byte <= start {
			continue
		}
		faithful = min(faithful, max(h.Start.Byte-start, 0))
		line = line[:faithful] + redacted
	}
	if c.shown[number] {
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
	if s.lines == nil {
		s.lines = []int{0}
		for i, b := range s.text {
			if b == '\n' {
				s.lines = append(s.lines, i+1)
			}
		}
	}
	if number > len(s.lines) {
		return len(s.text)
	}
	return s.lines[max(number, 1)-1]
}
