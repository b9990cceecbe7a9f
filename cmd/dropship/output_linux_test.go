package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestResultThatCannotBeWrittenIsAFailure(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for _, args := range [][]string{{"version"}, {"--version"}, {"--help"}, {"completion", "bash"}} {
		var stderr strings.Builder
		if got, want := run(t.Context(), args, full, &stderr), exitFailed; got != want {
			t.Errorf("%s to a full disk: exit code %d, want %d", args, got, want)
		}
		if got, want := stderr.String(), "dropship: cannot write the result: write /dev/full: no space left on device\n"; got != want {
			t.Errorf("%s to a full disk says %q, want %q", args, got, want)
		}
	}
}

func TestReaderMayGoAway(t *testing.T) {
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	if err := reader.Close(); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "dropship.hcl")
	if err := os.WriteFile(config, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"version"}, {"--version"}, {"completion", "bash"}, {"plan", "--json", "--config", config}} {
		var stderr strings.Builder
		if got, want := run(t.Context(), args, writer, &stderr), exitDone; got != want || strings.Contains(stderr.String(), "pipe") {
			t.Errorf("%s: exit code %d, want %d; stderr %q", args, got, want, stderr.String())
		}
	}
}
