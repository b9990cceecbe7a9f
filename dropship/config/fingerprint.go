package config

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strconv"
)

// digest hashes parts, each with its length, so that nothing can move from one to the next unnoticed.
func digest(parts ...string) string {
	h := sha256.New()
	for _, part := range parts {
		_, _ = io.WriteString(h, strconv.Itoa(len(part))+":")
		_, _ = io.WriteString(h, part)
	}
	return hex.EncodeToString(h.Sum(nil))
}
