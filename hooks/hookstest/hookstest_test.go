package hookstest_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/hookstest"
)

// fault names the way in which the hook of TestSuite is bad; empty for a good one.
const fault = "HOOKSTEST_FAULT"

// toy is a hook with nothing behind it: it keeps the hashes it has seen, or waits for its context.
type toy struct {
	fault string
	err   error // returned at once
	hangs chan struct{}

	mu    sync.Mutex
	names int
	seen  []string
}

var _ hooks.Hook = (*toy)(nil)

func (h *toy) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch h.names++; h.fault {
	case "another kind":
		return "toys"
	case "unstable name":
		return fmt.Sprint("toy ", h.names)
	case "secret in the name":
		return "toy planted"
	}
	return "toy"
}

func (h *toy) Run(ctx context.Context, ev hooks.Event) error {
	if ctx.Err() != nil && h.fault != "begins after the end" {
		return context.Cause(ctx)
	}
	if h.hangs != nil {
		select {
		case h.hangs <- struct{}{}:
		default:
		}
		switch h.fault {
		case "ignores its context":
			select {}
		case "ignores its timeout":
			if _, timed := ctx.Deadline(); timed {
				select {}
			}
		case "leaves a goroutine":
			go func() { select {} }()
		case "leaves a process":
			_ = exec.CommandContext(context.WithoutCancel(ctx), "sleep", "5").Start()
		case "hides why it ended":
			<-ctx.Done()
			return errors.New("it ended")
		}
		<-ctx.Done()
		return ctx.Err()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.fault == "says the first hash for ever" && len(h.seen) > 0:
		h.seen = append(h.seen, h.seen[0])
	case h.err == nil:
		h.seen = append(h.seen, ev.Hash)
	}
	return h.err
}

func TestSuite(t *testing.T) {
	fault := os.Getenv(fault)
	if fault != "" {
		hookstest.HaveLessPatience()
	}
	hookstest.Run(t, hookstest.Case{
		Kind:    "toy",
		Secrets: []string{"planted"},
		Works: func(_ *testing.T, logger *slog.Logger) (hooks.Hook, func() []string) {
			if fault == "secret in the log" {
				logger.Info("a secret", "password", "planted")
			}
			h := &toy{fault: fault}
			return h, func() []string {
				h.mu.Lock()
				defer h.mu.Unlock()
				return append([]string(nil), h.seen...)
			}
		},
		Hangs: func(*testing.T, *slog.Logger) (hooks.Hook, <-chan struct{}) {
			h := &toy{fault: fault, hangs: make(chan struct{}, 1)}
			return h, h.hangs
		},
		Fails: map[string]func(*testing.T, *slog.Logger) hooks.Hook{
			"some reason": func(*testing.T, *slog.Logger) hooks.Hook {
				h := &toy{fault: fault, err: errors.New("broken")}
				switch fault {
				case "secret in an error":
					h.err = errors.New("cannot log in with planted")
				case "secret in an error, as it travels":
					h.err = errors.New("Authorization: Basic cGxhbnRlZA==")
				case "swallows failures":
					h.err = nil
				}
				return h
			},
		},
	})
}

// The suite is only worth something if it finds what is bad: it is run once more, in a process of its
// own, on each bad hook.
func TestSuiteFindsFaults(t *testing.T) {
	t.Parallel()
	if os.Getenv(fault) != "" {
		t.Skip("this is the process with the bad hook")
	}
	for name, want := range map[string]string{
		"another kind":                      `want it to begin with "toy"`,
		"unstable name":                     "String changed",
		"ignores its timeout":               "Run has not returned after 5.2s",
		"secret in the name":                "String shows the secret",
		"secret in the log":                 "the log shows the secret",
		"secret in an error":                "the error shows the secret",
		"secret in an error, as it travels": "the error shows the secret",
		"swallows failures":                 "got no error",
		"begins after the end":              "want an error that is context.Canceled",
		"ignores its context":               "Run has not returned 5s after it was cancelled",
		"hides why it ended":                "want an error that is context.Canceled",
		"leaves a goroutine":                "Run left behind 1 goroutines",
		"leaves a process":                  "Run left behind process",
		"says the first hash for ever":      "the hash 00000000000000000000000000d00002 of event 2 in it: false, want true",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSuite$", "-test.failfast", "-test.timeout=60s")
			cmd.Env = append(os.Environ(), fault+"="+name)
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), want) {
				t.Errorf("got %v, want a failure with %q in it:\n%.2000s", err, want, out)
			}
		})
	}
}
