package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"

	"github.com/coreos/go-systemd/v22/journal"
)

// logger returns the logger that the flags ask for.
func (a *app) logger() (*slog.Logger, error) { return a.loggerTo(a.stderr) }

// loggerTo returns one that writes to w, on its way to standard error.
func (a *app) loggerTo(w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(a.logLevel)); err != nil {
		return nil, &exitError{exitUsage, fmt.Errorf("--log-level %q is none of debug, info, warn, error", a.logLevel)}
	}
	inJournal := false
	if a.stderr == io.Writer(os.Stderr) {
		// Not the mere presence of JOURNAL_STREAM, which processes inherit whose stderr is another one.
		inJournal, _ = journal.StderrIsJournalStream()
	}
	return newLogger(w, a.logFormat, level, inJournal)
}

// newLogger returns a logger of text or JSON. In the journal a line of text has no time and no level of its
// own: the journal keeps its time, and takes the level as its priority.
func newLogger(w io.Writer, format string, level slog.Level, inJournal bool) (*slog.Logger, error) {
	o := &slog.HandlerOptions{Level: level, ReplaceAttr: func(groups []string, attr slog.Attr) slog.Attr {
		switch {
		case inJournal && len(groups) == 0 && (attr.Key == slog.TimeKey || attr.Key == slog.LevelKey && format == "text"):
			return slog.Attr{}
		case attr.Value.Kind() == slog.KindDuration: // JSON would have nanoseconds, without a unit
			return slog.String(attr.Key, attr.Value.Duration().String())
		default:
			return attr
		}
	}}
	switch {
	case format == "json":
		return slog.New(slog.NewJSONHandler(w, o)), nil
	case format != "text":
		return nil, &exitError{exitUsage, fmt.Errorf("--log-format %q is neither text nor json", format)}
	case inJournal:
		line := new(bytes.Buffer)
		return slog.New(&journalHandler{Handler: slog.NewTextHandler(line, o), out: &journalOutput{w: w, line: line}}), nil
	default:
		return slog.New(slog.NewTextHandler(w, o)), nil
	}
}

// A journalHandler puts the priority before each line, as sd-daemon(3) describes, so that journalctl -p finds it.
type journalHandler struct {
	slog.Handler // writes into out.line
	out          *journalOutput
}

type journalOutput struct {
	mu   sync.Mutex
	w    io.Writer
	line *bytes.Buffer // of the record that is being handled
}

// Handle implements slog.Handler.
func (h *journalHandler) Handle(ctx context.Context, r slog.Record) error {
	h.out.mu.Lock()
	defer h.out.mu.Unlock()
	h.out.line.Reset()
	fmt.Fprintf(h.out.line, "<%d>", priority(r.Level))
	if err := h.Handler.Handle(ctx, r); err != nil {
		return err
	}
	_, err := h.out.w.Write(h.out.line.Bytes())
	return err
}

// WithAttrs implements slog.Handler.
func (h *journalHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &journalHandler{h.Handler.WithAttrs(attrs), h.out}
}

// WithGroup implements slog.Handler.
func (h *journalHandler) WithGroup(name string) slog.Handler {
	return &journalHandler{h.Handler.WithGroup(name), h.out}
}

// priority is the syslog priority of a level.
func priority(level slog.Level) journal.Priority {
	switch {
	case level >= slog.LevelError:
		return journal.PriErr
	case level >= slog.LevelWarn:
		return journal.PriWarning
	case level >= slog.LevelInfo:
		return journal.PriInfo
	default:
		return journal.PriDebug
	}
}
