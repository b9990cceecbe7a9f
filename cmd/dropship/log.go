package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
)

// logger returns the logger that the flags ask for. Under systemd a line carries no time of its own,
// since the journal has it already.
func (a *app) logger() (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(a.logLevel)); err != nil {
		return nil, &exitError{exitUsage, fmt.Errorf("--log-level %q is none of debug, info, warn, error", a.logLevel)}
	}
	return newLogger(a.stderr, a.logFormat, level, os.Getenv("JOURNAL_STREAM") != "")
}

func newLogger(w io.Writer, format string, level slog.Level, journal bool) (*slog.Logger, error) {
	o := &slog.HandlerOptions{Level: level}
	if journal {
		o.ReplaceAttr = func(groups []string, attr slog.Attr) slog.Attr {
			if len(groups) == 0 && attr.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return attr
		}
	}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, o)), nil
	default:
		return nil, &exitError{exitUsage, fmt.Errorf("--log-format %q is neither text nor json", format)}
	}
}
