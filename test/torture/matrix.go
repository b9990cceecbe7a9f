package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"
)

// matrix returns the table, in Markdown, and what it comes to.
func (r *run) matrix() string {
	var b strings.Builder
	b.WriteString("| fault |")
	for _, step := range Steps {
		fmt.Fprintf(&b, " %s |", step)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(Steps)) + "\n")
	var names []string
	for _, c := range r.cells {
		if !slices.Contains(names, c.fault.Name) {
			names = append(names, c.fault.Name)
		}
	}
	for _, name := range names {
		fmt.Fprintf(&b, "| %s |", name)
		for _, step := range Steps {
			text := ""
			for _, c := range r.cells {
				if c.fault.Name == name && c.step == step {
					text = c.String()
				}
			}
			fmt.Fprintf(&b, " %s |", text)
		}
		b.WriteString("\n")
	}
	kills := r.count(func(c *cell) bool { return strings.Contains(c.fault.Name, "kill -9") })
	fmt.Fprintf(&b, "\n%d rounds, %d of them with kill -9: %d violations", r.count(func(*cell) bool { return true }), kills, r.violations())
	if r.violations() == 0 {
		b.WriteString(" (no mixed tree, no service left stopped, no stage left)")
	}
	b.WriteString(".\n")
	for i, c := range r.cells {
		if c.fault.Places != nil && (i == 0 || r.cells[i-1].fault.Name != c.fault.Name) {
			struck, known := c.fault.Places()
			fmt.Fprintf(&b, "\"%s\" has struck %d of %d places.\n", c.fault.Name, struck, known)
		}
	}
	return b.String()
}

func (c *cell) String() string {
	var seen []string
	for _, s := range []Seen{Old, New, Absent} {
		if c.seen[s] > 0 {
			seen = append(seen, string(s))
		}
	}
	if len(c.errs) > 0 {
		seen = append(seen, fmt.Sprintf("**%d VIOLATIONS**", len(c.errs)))
	}
	return fmt.Sprintf("%s (%d)", strings.Join(seen, "/"), c.rounds)
}

func (r *run) print() {
	fmt.Fprintf(r.out, "\nafter %s:\n\n%s", time.Since(r.begin).Round(time.Second), r.matrix())
}

const (
	beginMarker = "<!-- begin of the matrix, written by make torture -->"
	endMarker   = "<!-- end of the matrix -->"
)

// writeTo puts the matrix between the two markers of a file.
func (r *run) writeTo(ctx context.Context, path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("cannot write the matrix: %w", err)
	}
	before, rest, found := strings.Cut(string(b), beginMarker)
	_, after, ended := strings.Cut(rest, endMarker)
	if !found || !ended {
		return fmt.Errorf("cannot write the matrix: %s lacks the markers %q and %q", path, beginMarker, endMarker)
	}
	version, err := exec.CommandContext(ctx, r.binary, "version").Output()
	if err != nil {
		return fmt.Errorf("cannot write the matrix: %w", err)
	}
	fields := strings.Fields(string(version))
	if len(fields) < 2 {
		return errors.New("cannot write the matrix: dropship does not tell its version")
	}
	text := before + beginMarker + "\n\nDropship " + fields[1] + ":\n\n" + r.matrix() + "\n" + endMarker + after
	return renameio.WriteFile(path, []byte(text), 0o644)
}
