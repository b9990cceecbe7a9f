package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestJournalLinesBeginWithTheirPriority(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	logger, err := newLogger(&b, "text", slog.LevelDebug, true)
	if err != nil {
		t.Fatal(err)
	}
	logger.Error("failed", "took", 1500*time.Millisecond)
	logger.Warn("late")
	logger.With("service", "web").Info("updated", "hash", "abc")
	logger.WithGroup("net").Debug("dialed", "level", 3, "time", "noon")
	want := `<3>msg=failed took=1.5s
<4>msg=late
<6>msg=updated service=web hash=abc
<7>msg=dialed net.level=3 net.time=noon
`
	if got := b.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestLinesElsewhereHaveTimeAndLevel(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	logger, err := newLogger(&b, "text", slog.LevelInfo, false)
	if err != nil {
		t.Fatal(err)
	}
	logger.Debug("not wanted")
	logger.Warn("late", "took", 1500*time.Millisecond)
	first, rest, _ := strings.Cut(b.String(), " ")
	if _, err := time.Parse("time="+time.RFC3339Nano, first); err != nil {
		t.Errorf("the line does not begin with its time: %v", err)
	}
	if want := "level=WARN msg=late took=1.5s\n"; rest != want {
		t.Errorf("got %q, want %q", rest, want)
	}
}

// A number would be nanoseconds, and nothing would say so.
func TestDurationsInJSONHaveAUnit(t *testing.T) {
	t.Parallel()
	for _, inJournal := range []bool{false, true} {
		var b bytes.Buffer
		logger, err := newLogger(&b, "json", slog.LevelInfo, inJournal)
		if err != nil {
			t.Fatal(err)
		}
		logger.With("every", 10*time.Second).Info("updated", "took", 1500*time.Millisecond, slog.Group("slot", "wait", time.Minute), "count", 3)
		var got struct {
			Time  *time.Time
			Level string
			Every string
			Took  string
			Slot  struct{ Wait string }
			Count int
		}
		if err := json.Unmarshal(b.Bytes(), &got); err != nil {
			t.Fatalf("%s: %v", b.String(), err)
		}
		if got.Took != "1.5s" || got.Every != "10s" || got.Slot.Wait != "1m0s" || got.Count != 3 || got.Level != "INFO" {
			t.Errorf("got %s", b.String())
		}
		if inJournal != (got.Time == nil) {
			t.Errorf("in the journal %t: got the time %v", inJournal, got.Time)
		}
	}
}

// Services log side by side, each through a logger of its own: every line arrives in one piece.
func TestJournalLinesStayWhole(t *testing.T) {
	t.Parallel()
	const services, lines = 8, 50
	var b lineWriter
	logger, err := newLogger(&b, "text", slog.LevelInfo, true)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range services {
		wg.Go(func() {
			logger := logger.With("service", i)
			for n := range lines {
				logger.Info("up to date", "n", n)
			}
		})
	}
	wg.Wait()
	seen := make(map[string]bool)
	for _, line := range b.lines {
		seen[line] = true
	}
	for i := range services {
		for n := range lines {
			if want := fmt.Sprintf("<6>msg=\"up to date\" service=%d n=%d\n", i, n); !seen[want] {
				t.Fatalf("missing: %q", want)
			}
		}
	}
	if len(b.lines) != services*lines {
		t.Errorf("got %d writes, want %d: one a line", len(b.lines), services*lines)
	}
}

// A lineWriter keeps each write by itself. Whoever writes must see to it that no two do so at once.
type lineWriter struct{ lines []string }

func (w *lineWriter) Write(p []byte) (int, error) {
	w.lines = append(w.lines, string(p))
	return len(p), nil
}
