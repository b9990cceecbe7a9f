package script_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/hookstest"
	"github.com/dropship/dropship/hooks/script"
)

// records is a slog.Handler that keeps what is logged, as maps.
type records struct {
	mu    sync.Mutex
	all   []map[string]string
	attrs []slog.Attr
	into  *records
}

func (r *records) Enabled(context.Context, slog.Level) bool { return true }
func (r *records) WithGroup(string) slog.Handler            { panic("not used") }
func (r *records) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &records{attrs: append(r.attrs, attrs...), into: r.root()}
}

func (r *records) root() *records {
	if r.into != nil {
		return r.into
	}
	return r
}

func (r *records) Handle(_ context.Context, record slog.Record) error {
	m := map[string]string{"level": record.Level.String(), "msg": record.Message}
	for _, a := range r.attrs {
		m[a.Key] = a.Value.String()
	}
	record.Attrs(func(a slog.Attr) bool { m[a.Key] = a.Value.String(); return true })
	root := r.root()
	root.mu.Lock()
	defer root.mu.Unlock()
	root.all = append(root.all, m)
	return nil
}

func (r *records) list() []map[string]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]map[string]string(nil), r.all...)
}

func runLogged(t *testing.T, source string) []map[string]string {
	t.Helper()
	var log records
	h := hookstest.New(t, script.Kind(slog.New(&log)), source)
	if err := h.Run(t.Context(), hooks.Event{Name: "web", UpdateID: "u1"}); err != nil {
		t.Fatal(err)
	}
	return log.list()
}

func TestOutputIsLogged(t *testing.T) {
	t.Parallel()
	const source = `command = "echo one; printf 'two\\nthree' >&2"`
	got := runLogged(t, source)
	// Each stream is in order; which of the two is read first is nobody's promise.
	slices.SortStableFunc(got, func(a, b map[string]string) int { return strings.Compare(b["stream"], a["stream"]) })
	name := newHook(t, source).String()
	want := []map[string]string{
		{"level": "INFO", "msg": "script output", "service": "web", "hook": name, "update_id": "u1", "stream": "stdout", "line": "one"},
		{"level": "INFO", "msg": "script output", "service": "web", "hook": name, "update_id": "u1", "stream": "stderr", "line": "two"},
		{"level": "INFO", "msg": "script output", "service": "web", "hook": name, "update_id": "u1", "stream": "stderr", "line": "three"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// The line is logged while the command still runs: it waits for the test to have seen it.
func TestOutputIsLoggedWhileItRuns(t *testing.T) {
	t.Parallel()
	var log records
	h := hookstest.New(t, script.Kind(slog.New(&log)), `command = "echo ready; sleep 600"`)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx, hooks.Event{}) }()
	for deadline := time.Now().Add(time.Minute); len(log.list()) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nothing was logged while the command ran")
		}
	}
	cancel()
	if err := <-done; !strings.Contains(fmt.Sprint(err), `last output: "ready"`) {
		t.Errorf("got %v, want the output in it", err)
	}
}

func TestOutputIsCapped(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, command       string
		lines, rest, within int // logged, left out, bytes logged at most
	}{
		{"lines", "seq 5000", 1000, 4000, 64 << 10},
		{"bytes", "for i in $(seq 100); do printf %01000d 0; echo; done", 65, 35, 64 << 10},
		{"long lines", "for i in 1 2; do head -c 5000000 /dev/zero | tr '\\\\0' x; echo; done", 2, 0, 2 * (2<<10 + 8)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var lines, bytes int
			rest := "0"
			for _, r := range runLogged(t, `command = "`+tt.command+`"`) {
				if r["msg"] == "script output" {
					lines++
					bytes += len(r["line"])
				} else {
					rest = r["lines_left_out"]
				}
			}
			if lines != tt.lines || rest != fmt.Sprint(tt.rest) {
				t.Errorf("got %d lines and %s left out, want %d and %d", lines, rest, tt.lines, tt.rest)
			}
			if bytes > tt.within {
				t.Errorf("got %d bytes, want at most %d", bytes, tt.within)
			}
		})
	}
}

func TestOutputIsMadePrintable(t *testing.T) {
	t.Parallel()
	got := runLogged(t, `command = "printf 'a\\tb\\033[31mc\\377d\\n'"`)
	if len(got) != 1 || got[0]["line"] != "a b�[31mc�d" {
		t.Errorf("got %q", got)
	}
}
