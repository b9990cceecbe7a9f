package hooks

import (
	"context"
	"io"
	"strings"
	"sync"
)

// outputLimit bounds, in bytes, what is kept of what one step wrote: its end, which says more than its beginning.
const outputLimit = 16 << 10

type outputKey struct{}

// Output returns where a hook writes, as text in lines, what whoever looks into an update later wants to read: what a
// command printed, what a server answered. It is kept beside the step's duration and error, the last 16 KiB of
// it, and is never a reason for a hook to fail: Write always succeeds. Safe for concurrent use. It holds no credential but
// what a user's own command prints. Outside a chain it goes nowhere.
func Output(ctx context.Context) io.Writer {
	if o, ok := ctx.Value(outputKey{}).(*output); ok {
		return o
	}
	return io.Discard
}

// output keeps the end of what is written to it.
type output struct {
	mu  sync.Mutex
	b   []byte
	cut bool
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.b = append(o.b, p...)
	if extra := len(o.b) - outputLimit; extra > 0 {
		o.b, o.cut = append(o.b[:0], o.b[extra:]...), true
	}
	return len(p), nil
}

// String returns what is kept, in whole lines where its beginning is lost.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	text := strings.ToValidUTF8(string(o.b), "�")
	if !o.cut {
		return text
	}
	if _, rest, ok := strings.Cut(text, "\n"); ok {
		text = rest
	}
	return "…\n" + text
}
