package config

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
