package script

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"

	"github.com/dropship/dropship/hooks"
)

// What of one run's output is logged, and what of it is in an error.
const (
	maxLines = 1000
	maxBytes = 64 << 10
	maxLine  = 2 << 10 // a longer line is cut
	maxTail  = 2 << 10
)

// output is what one run prints: it logs the beginning, remembers the end, and counts the rest.
type output struct {
	logger *slog.Logger

	mu           sync.Mutex
	lines, bytes int      // logged
	restLines    int      // not logged
	last         []string // the last lines, maxTail bytes of them at most
	lastBytes    int
}

// read takes lines until the end of r, or until its deadline.
func (o *output) read(ctx context.Context, r io.Reader, stream string) {
	lines := bufio.NewReaderSize(r, maxLine)
	for {
		line, cut, err := lines.ReadLine()
		if err != nil {
			return
		}
		text := printable(strings.ToValidUTF8(string(line), "�"))
		if cut {
			text += " …"
		}
		o.take(ctx, stream, text)
		for cut && err == nil {
			_, cut, err = lines.ReadLine()
		}
	}
}

func (o *output) take(ctx context.Context, stream, line string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.remember(line)
	fmt.Fprintln(hooks.Output(ctx), line)
	// Once over the limit nothing is logged any more: a shorter line after it would look like its sequel.
	if o.restLines > 0 || o.lines >= maxLines || o.bytes+len(line) > maxBytes {
		o.restLines++
		return
	}
	o.lines++
	o.bytes += len(line)
	o.logger.InfoContext(ctx, "script output", "stream", stream, "line", line)
}

func (o *output) remember(line string) {
	if strings.TrimSpace(line) == "" {
		return
	}
	if len(line) > maxTail {
		line = strings.ToValidUTF8(line[:maxTail], "") // a cut line is longer than the limit by its mark
	}
	o.last = append(o.last, line)
	o.lastBytes += len(line)
	for o.lastBytes > maxTail {
		o.lastBytes -= len(o.last[0])
		o.last = o.last[1:]
	}
}

// logRest says how much was not logged.
func (o *output) logRest(ctx context.Context) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.restLines > 0 {
		o.logger.WarnContext(ctx, "script printed more than is logged", "lines_logged", o.lines, "lines_left_out", o.restLines)
	}
}

// tail returns the end of the output, of both streams as they came.
func (o *output) tail() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Join(o.last, "\n")
}
