package config_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"

	"github.com/dropship/dropship/dropship/config"
)

// TestFixtures loads every file or directory of testdata/valid, invalid and warning. Each line says in
// comments what must be reported there, and nothing else may be:
//
//	checkInterval = "soon" # ERROR: Invalid duration
func TestFixtures(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"valid", "invalid", "warning"} {
		entries, err := os.ReadDir(filepath.Join("testdata", kind))
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			t.Run(kind+"/"+entry.Name(), func(t *testing.T) {
				t.Parallel()
				path := copyFixture(t, filepath.Join("testdata", kind, entry.Name()))
				got, diags := config.Load(path, kinds())

				expected := expectations(t, path)
				if diff := cmp.Diff(expected, reported(diags)); diff != "" {
					t.Errorf("diagnostics (-want +got):\n%s\nthey are:\n%s", diff, printed(diags))
				}
				switch {
				case (got == nil) != (kind == "invalid"):
					t.Errorf("got configuration %v", got)
				case kind == "valid" && len(expected) > 0, kind == "warning" && len(expected) == 0:
					t.Errorf("the fixture is in the wrong directory")
				}
			})
		}
	}
}

// Eight different mistakes in one file give eight messages, each at a line of its own.
func TestEightMistakesGiveEightMessages(t *testing.T) {
	t.Parallel()
	path := copyFixture(t, "testdata/invalid/eight.hcl")
	_, diags := config.Load(path, kinds())
	lines := make(map[int]string)
	for _, diag := range diags.Errors() {
		lines[diag.Subject.Start.Line] = diag.Summary
	}
	if len(diags.Errors()) != 8 || len(lines) != 8 || len(diags.Warnings()) != 0 {
		t.Errorf("printed:\n%s", printed(diags))
	}
	for line, summary := range lines {
		pattern := regexp.MustCompile(fmt.Sprintf(`(?m)^%s:%d:[0-9]+: error: %s$`, regexp.QuoteMeta(path), line, summary))
		if got := len(pattern.FindAllString(printed(diags), -1)); got != 1 {
			t.Errorf("%s at line %d is printed %d times:\n%s", summary, line, got, printed(diags))
		}
	}
}

// copyFixture copies a fixture to where its files have the mode that they are installed with, whatever
// the one of the checkout is.
func copyFixture(t *testing.T, from string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), filepath.Base(from))
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(path, from))
		if entry.IsDir() {
			return os.MkdirAll(target, 0o750)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, content, 0o640)
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

var expectation = regexp.MustCompile(`# ((?:ERROR|WARNING): [^#]*[^# ])`)

// expectations returns what the comments of the files at path announce, by "FILE:LINE".
func expectations(t *testing.T, path string) map[string][]string {
	t.Helper()
	expected := make(map[string][]string)
	err := filepath.WalkDir(path, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for i, line := range strings.Split(string(content), "\n") {
			at := fmt.Sprintf("%s:%d", path, i+1)
			for _, m := range expectation.FindAllStringSubmatch(line, -1) {
				expected[at] = append(expected[at], m[1])
			}
			slices.Sort(expected[at])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return expected
}

// reported returns the same of diagnostics.
func reported(diags *config.Diagnostics) map[string][]string {
	reported := make(map[string][]string)
	add := func(severity string, diags hcl.Diagnostics) {
		for _, diag := range diags {
			at := "nowhere"
			if diag.Subject != nil {
				at = fmt.Sprintf("%s:%d", diag.Subject.Filename, diag.Subject.Start.Line)
			}
			reported[at] = append(reported[at], severity+": "+diag.Summary)
			slices.Sort(reported[at])
		}
	}
	add("ERROR", diags.Errors())
	add("WARNING", diags.Warnings())
	return reported
}

func printed(diags *config.Diagnostics) string {
	var b strings.Builder
	diags.Print(&b, false, 0)
	return b.String()
}
