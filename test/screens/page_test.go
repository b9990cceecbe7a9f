package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mattn/go-runewidth"
)

// What is committed shows each of the commands, on a screen of 80 columns and 24 lines.
func TestScreensFit(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", page))
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	for i, screen := range strings.Split(string(text), "\n```\n") {
		if i%2 == 0 {
			continue
		}
		lines := strings.Split(screen, "\n")
		shown[strings.Fields(lines[0])[2]] = true
		if len(lines) > 24 {
			t.Errorf("%s: got %d lines, want 24 at the most", lines[0], len(lines))
		}
		for _, line := range lines {
			if w := runewidth.StringWidth(line); w > 80 || strings.Contains(line, "\x1b") {
				t.Errorf("%s: %d columns, or not only text: %q", lines[0], w, line)
			}
		}
	}
	for _, command := range []string{"status", "why", "history", "plan", "apply"} {
		if !shown[command] {
			t.Errorf("%s is not shown: got %v", command, shown)
		}
	}
}
