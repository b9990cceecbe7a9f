// Package hookstest is what every hook must pass: the promises of [hooks.Hook], tested.
//
// A hook's own tests say what it does; this suite says that it obeys its context, names itself, shows
// no credential, works again for the next update, and leaves nothing behind.
package hookstest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dropship/dropship/hooks"
)

// A Case is a hook under test, in the states that the suite needs. Each function makes a new hook with
// the planted secrets in its configuration, on a server or a program of the test's own.
type Case struct {
	// Kind is how the hook is called in a configuration; its String begins with it.
	Kind string
	// Secrets are the credentials that every function below plants in the hook.
	Secrets []string
	// Works makes a hook whose Run succeeds, and a function that returns what the other side has got so
	// far, one entry for each run; nil if what the hook does has nothing of the event in it.
	Works func(t *testing.T, logger *slog.Logger) (h hooks.Hook, got func() []string)
	// Hangs makes a hook whose Run ends only with its context, and a channel on which something is to be
	// received once Run is in the middle of its work.
	Hangs func(t *testing.T, logger *slog.Logger) (h hooks.Hook, underWay <-chan struct{})
	// Fails makes hooks whose Run fails by itself within seconds, each for the reason that is its key.
	Fails map[string]func(t *testing.T, logger *slog.Logger) hooks.Hook
}

// soon is how long after the end of its context Run may take, and everything it started may live on: much
// less where the machine is not busy.
var soon = 30 * time.Second

// Run runs the suite. It counts the goroutines and processes of the whole test binary, so the test that
// calls it must not be parallel.
func Run(t *testing.T, c Case) {
	t.Run("names itself", c.namesItself)
	t.Run("does not begin after its context ended", c.endedContext)
	t.Run("is cancelled", c.cancelled)
	t.Run("times out", c.timesOut)
	t.Run("runs again", c.runsAgain)
	t.Run("runs concurrently", c.runsConcurrently)
	for reason, hook := range c.Fails {
		t.Run("fails: "+reason, func(t *testing.T) { c.fails(t, hook) })
	}
}

// Event returns an event that differs in every datum from that of any other n.
func Event(n int) hooks.Event {
	return hooks.Event{
		Name:         "web",
		Hostname:     "host-1",
		Hash:         fmt.Sprintf("%032x", 0xd0_0000+n),
		PreviousHash: fmt.Sprintf("%032x", 0xd0_0000+n-1),
		Phase:        hooks.After,
		Status:       hooks.StatusUpdate,
		Artifact:     "s3://bucket/web.tar.gz",
		Destination:  "/nonexistent/web",
		UpdateID:     fmt.Sprintf("update-%d", n),
		Started:      time.Date(2015, time.January, 2, 15, 4, n, 0, time.UTC),
	}
}

func (c Case) namesItself(t *testing.T) {
	log := c.log(t)
	h, _ := c.Works(t, log)
	before := h.String()
	if err := h.Run(t.Context(), Event(1)); err != nil {
		t.Errorf("run: %v", err)
	}
	if after := h.String(); after != before {
		t.Errorf("String changed from %q to %q", before, after)
	}
	if before != c.Kind && !strings.HasPrefix(before, c.Kind+" ") && !strings.HasPrefix(before, c.Kind+":") {
		t.Errorf("String is %q, want it to begin with %q", before, c.Kind)
	}
	if strings.ContainsAny(before, "\n\r") {
		t.Errorf("String is %q, want one line", before)
	}
	c.noSecret(t, "String", before)
}

func (c Case) endedContext(t *testing.T) {
	h, got := c.Works(t, c.log(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := within(t, soon, func() error { return h.Run(ctx, Event(1)) })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want an error that is context.Canceled", err)
	}
	c.noSecret(t, "the error", fmt.Sprint(err))
	if got != nil && len(got()) != 0 {
		t.Errorf("the other side got %q, want nothing", got())
	}
}

func (c Case) cancelled(t *testing.T) {
	h, underWay := c.Hangs(t, c.log(t))
	quiet := leavesNothing(t)
	errCause := errors.New("the reason")
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx, Event(1)) }()
	select {
	case <-underWay:
	case err := <-done:
		t.Fatalf("Run returned %v before it was cancelled", err)
	case <-time.After(time.Minute):
		t.Fatal("Run is not under way after a minute")
	}
	cancel(errCause)
	select {
	case err := <-done:
		if !errors.Is(err, context.Canceled) && !errors.Is(err, errCause) {
			t.Errorf("got %v, want an error that is context.Canceled or the context's cause", err)
		}
		c.noSecret(t, "the error", fmt.Sprintf("%v %+v", err, err))
	case <-time.After(soon):
		t.Fatalf("Run has not returned %s after it was cancelled", soon)
	}
	quiet()
}

func (c Case) timesOut(t *testing.T) {
	h, _ := c.Hangs(t, c.log(t))
	quiet := leavesNothing(t)
	const limit = 200 * time.Millisecond
	chain := hooks.Chain{{Hook: h, Timeout: limit, OnError: hooks.Abort, When: hooks.Always}}
	err := within(t, limit+soon, func() error { return chain.Run(t.Context(), 0, Event(1), hooks.Report{}) })
	if err == nil || !strings.Contains(err.Error(), "not done within its timeout of "+limit.String()) {
		t.Errorf("got %v, want it to name the timeout", err)
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want an error that is context.DeadlineExceeded", err)
	}
	c.noSecret(t, "the error", fmt.Sprint(err))
	quiet()
}

func (c Case) runsAgain(t *testing.T) {
	h, got := c.Works(t, c.log(t))
	quiet := leavesNothing(t)
	for n := 1; n <= 3; n++ {
		if err := h.Run(t.Context(), Event(n)); err != nil {
			t.Fatalf("run %d: %v", n, err)
		}
	}
	quiet()
	if got == nil {
		return
	}
	entries := got()
	if len(entries) != 3 {
		t.Fatalf("the other side got %d things, want 3: %q", len(entries), entries)
	}
	for i, entry := range entries {
		for n := 1; n <= 3; n++ {
			if has, want := strings.Contains(entry, Event(n).Hash), n == i+1; has != want {
				t.Errorf("run %d: got %q; the hash %s of event %d in it: %t, want %t", i+1, entry, Event(n).Hash, n, has, want)
			}
		}
	}
}

func (c Case) runsConcurrently(t *testing.T) {
	h, got := c.Works(t, c.log(t))
	quiet := leavesNothing(t)
	const runs = 8
	var wg sync.WaitGroup
	for n := range runs {
		wg.Go(func() {
			if err := h.Run(t.Context(), Event(n)); err != nil {
				t.Errorf("run %d: %v", n, err)
			}
			_ = h.String()
		})
	}
	wg.Wait()
	quiet()
	if got == nil {
		return
	}
	all := strings.Join(got(), "\n")
	for n := range runs {
		if !strings.Contains(all, Event(n).Hash) {
			t.Errorf("the other side got nothing of event %d", n)
		}
	}
}

func (c Case) fails(t *testing.T, makeHook func(*testing.T, *slog.Logger) hooks.Hook) {
	h := makeHook(t, c.log(t))
	quiet := leavesNothing(t)
	err := within(t, time.Minute, func() error { return h.Run(t.Context(), Event(1)) })
	if err == nil {
		t.Fatal("got no error")
	}
	c.noSecret(t, "the error", fmt.Sprintf("%v %+v %q", err, err, err))
	for e := err; e != nil; e = errors.Unwrap(e) {
		c.noSecret(t, "a cause", e.Error())
	}
	quiet()
}

// within returns what run returns, and fails the test if that takes longer than limit.
func within(t *testing.T, limit time.Duration, run func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- run() }()
	select {
	case err := <-done:
		return err
	case <-time.After(limit):
		t.Fatalf("Run has not returned after %s", limit)
		return nil
	}
}

// noSecret looks for the planted secrets in what, as they are and as they travel.
func (c Case) noSecret(t *testing.T, what, text string) {
	t.Helper()
	for _, s := range c.Secrets {
		for _, form := range []string{s, url.QueryEscape(s), base64.StdEncoding.EncodeToString([]byte(s))} {
			if strings.Contains(text, form) {
				t.Errorf("%s shows the secret %q: %s", what, s, text)
			}
		}
	}
}

// log returns a logger whose output is searched for secrets when the test is over.
func (c Case) log(t *testing.T) *slog.Logger {
	var out lockedBuffer
	t.Cleanup(func() { c.noSecret(t, "the log", out.String()) })
	return slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Unique returns a name that no other test and no other run uses, for what stays on shared servers.
func Unique() string { return strings.ToLower(rand.Text()[:12]) }
