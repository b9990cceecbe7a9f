package config

import (
	"regexp"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// A file beyond these is no configuration, and must not take the memory, or the life, of an agent that reads it at a reload.
const (
	maxFile  = 16 << 20 // bytes
	maxDepth = 1000     // of brackets; the parser calls itself for each
)

// tooDeep returns where brackets are nested too deep, or -1. It counts those in strings and comments, too, which are not
// so many more than those that are closed.
func tooDeep(text []byte) int {
	depth := 0
	for i, b := range text {
		switch b {
		case '(', '[', '{':
			if depth++; depth > maxDepth {
				return i
			}
		case ')', ']', '}':
			depth = max(0, depth-1)
		}
	}
	return -1
}

// enormous is what a number has that takes seconds, or hours, to become a string: 1e9999999.
var enormous = regexp.MustCompile(`[0-9]{1000}|[0-9][eE][+-]?[0-9]{4}`)

// findEnormous returns a mistake at the first such number, or nil.
func findEnormous(path string, text []byte) *hcl.Diagnostic {
	if !mayBeEnormous(text) {
		return nil
	}
	tokens, _ := hclsyntax.LexConfig(text, path, hcl.InitialPos)
	for _, token := range tokens {
		if token.Type == hclsyntax.TokenNumberLit && enormous.Match(token.Bytes) {
			return problem("Number out of range", &token.Range, "No setting has so large, or so precise, a number.")
		}
	}
	return nil
}

// mayBeEnormous reports whether there is something that looks like such a number, in a fraction of the time.
func mayBeEnormous(text []byte) bool {
	digits := 0
	for i, b := range text {
		if b < '0' || b > '9' {
			digits = 0
			continue
		}
		if digits++; digits == 1000 || digits == 4 && enormous.Match(text[max(0, i-6):i+1]) {
			return true
		}
	}
	return false
}
