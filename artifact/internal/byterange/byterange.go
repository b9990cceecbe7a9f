// Package byterange is what repositories that speak HTTP do alike about parts of an artifact.
package byterange

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Request returns the Range header that asks for length bytes from offset (-1: all that there are). It is empty where
// that is the whole artifact, of which no header is needed.
func Request(offset, length int64) string {
	switch {
	case length >= 0:
		return fmt.Sprintf("bytes=%d-%d", offset, offset+length-1)
	case offset > 0:
		return fmt.Sprintf("bytes=%d-", offset)
	}
	return ""
}

// A Range is what a Content-Range header says. What it does not say is -1.
type Range struct {
	First, Last int64 // the bytes that the answer has, both of them too
	Size        int64 // of the whole
}

// Parse reads a Content-Range header: "bytes FIRST-LAST/SIZE", with * for an unknown size, and "bytes */SIZE" in a
// refusal.
func Parse(header string) (Range, error) {
	span, total, ok := strings.Cut(strings.TrimPrefix(header, "bytes "), "/")
	begin, end, spans := strings.Cut(span, "-")
	if !spans {
		end = begin // both are *
	}
	first, firstErr := numberOrStar(begin)
	last, lastErr := numberOrStar(end)
	size, sizeErr := numberOrStar(total)
	if err := cmp.Or(firstErr, lastErr, sizeErr); !ok || err != nil {
		return Range{-1, -1, -1}, fmt.Errorf("the server's Content-Range %q cannot be understood", header)
	}
	return Range{first, last, size}, nil
}

// Check returns an error if an answer with r has not the length bytes from offset that were asked for (-1: all).
func (r Range) Check(offset, length int64) error {
	if r.First != offset {
		return fmt.Errorf("the server sends bytes from %d instead of %d", r.First, offset)
	}
	if length >= 0 && r.Last != offset+length-1 {
		return fmt.Errorf("the server sends bytes up to %d instead of %d", r.Last, offset+length-1)
	}
	return nil
}

func numberOrStar(s string) (int64, error) {
	if s == "*" {
		return -1, nil
	}
	n, err := strconv.ParseUint(s, 10, 63)
	return int64(n), err
}
