package main

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropship/dropship/packaging/man"
)

const (
	pages  = "../../packaging/man" // the committed manual pages
	manual = "../../docs"
)

var update = flag.Bool("update", false, "write the manual pages anew, as make man does")

// The committed pages are what the commands and the manual say now: each command and each flag has its place, and no
// page is left of a command that is gone.
func TestManualPages(t *testing.T) {
	all, err := man.Commands((&app{stdout: io.Discard, stderr: io.Discard}).rootCommand(), manual)
	if err != nil {
		t.Fatal(err)
	}
	configuration, err := man.Configuration(manual)
	if err != nil {
		t.Fatal(err)
	}
	want := make(map[string]string)
	for _, p := range append(all, configuration) {
		want[p.File] = string(p.Roff)
	}
	old, err := filepath.Glob(filepath.Join(pages, "*.[158]"))
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		for _, path := range old {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
		for name, text := range want {
			if err := os.WriteFile(filepath.Join(pages, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	got := make(map[string]string)
	for _, path := range old {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got[filepath.Base(path)] = string(text)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the manual pages are not what make man makes now: run it, and commit what changed (-want +got):\n%s", diff)
	}
}
