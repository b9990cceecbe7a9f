package archive

import (
	"fmt"
	"io"
)

// The default limits are far above what applications are made of: they are there for the artifact that
// would fill the disk, by mistake or on purpose.
const (
	DefaultSize    = 64 << 30  // bytes
	DefaultEntries = 1_000_000 // a large node_modules has 200,000
	DefaultRatio   = 200       // programs pack 3 to 10 times, logs 20 times, gzip can at most 1030 times
)

// ratioFrom is how much may come out of an artifact before its ratio counts: small artifacts harm
// nobody, and a sparse or empty database file packs well.
const ratioFrom = 64 << 20

// Limits bound what an archive may unpack to. A field that is not positive means its default.
type Limits struct {
	Size    int64 // bytes of all files together
	Entries int   // files, directories (also those that are only implied), links
	Ratio   int64 // unpacked bytes per packed byte, once past the first 64 MiB
}

func (l Limits) withDefaults() Limits {
	if l.Size <= 0 {
		l.Size = DefaultSize
	}
	if l.Entries <= 0 {
		l.Entries = DefaultEntries
	}
	if l.Ratio <= 0 {
		l.Ratio = DefaultRatio
	}
	return l
}

// A LimitError means that an archive unpacks to more than is allowed.
type LimitError struct {
	What  string // the attribute of an artifact block to raise: "maxSize", "maxEntries" or "maxRatio"
	Limit int64  // in bytes, entries, or unpacked bytes per packed byte
	Entry string // where it showed, as errors name it; empty: in no entry
}

func (e *LimitError) Error() string {
	var than string
	switch e.What {
	case "maxSize":
		than = fmt.Sprintf("%d bytes of files", e.Limit)
	case "maxEntries":
		than = fmt.Sprintf("%d entries", e.Limit)
	default:
		than = fmt.Sprintf("%d bytes for each packed one", e.Limit)
	}
	return fmt.Sprintf("the artifact unpacks to more than %s: raise %s if it should", than, e.What)
}

// count allows one more entry.
func (u *unpacker) count() error {
	if u.stats.Entries >= u.limits.Entries {
		return &LimitError{What: "maxEntries", Limit: int64(u.limits.Entries)}
	}
	u.stats.Entries++
	return nil
}

// checkRatio says whether so many bytes may have come out of the packed bytes that are read so far.
func (u *unpacker) checkRatio(unpacked int64) error {
	if unpacked > ratioFrom && unpacked/u.limits.Ratio > u.in.read.Load() {
		return &LimitError{What: "maxRatio", Limit: u.limits.Ratio}
	}
	return nil
}

// A counted writer counts the bytes of files, before they are written: what headers promise is not
// believed.
type counted struct {
	u *unpacker
	w io.Writer
}

func (c *counted) Write(p []byte) (int, error) {
	size := int64(len(p))
	if size > c.u.limits.Size-c.u.stats.Unpacked {
		return 0, &LimitError{What: "maxSize", Limit: c.u.limits.Size}
	}
	// A plain file is what it is, and a sparse one is more than what came out of the decompression.
	if err := c.u.checkRatio(c.u.stats.Unpacked + size); err != nil {
		return 0, err
	}
	c.u.stats.Unpacked += size
	if c.u.o.Unpacked != nil {
		c.u.o.Unpacked(c.u.stats.Unpacked)
	}
	return c.w.Write(p)
}

// A flow counts what comes out of a decompression, so that a flood of what is no file's content
// (headers, padding) meets the limit too.
type flow struct {
	u *unpacker
	r io.Reader
}

func (f *flow) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	f.u.inside += int64(n)
	if limit := f.u.checkRatio(f.u.inside); limit != nil {
		return n, limit
	}
	return n, err
}
