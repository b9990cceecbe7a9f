package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropship/dropship/dropship/config"
)

// Files are read, and services made, side by side. What is wrong with them is told in the order of the files, all of it.
func TestMistakesInManyFilesAreInOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var want []string
	for i := range 200 {
		name := fmt.Sprintf("service-%03d", i)
		path := filepath.Join(dir, name+".hcl")
		at := func(line, column int, what string) {
			want = append(want, fmt.Sprintf("%s:%d:%d: %s", path, line, column, what))
		}
		interval, artifact := `"10s"`, fmt.Sprintf("  artifact \"s3\" {\n    bucket      = \"b\"\n    path        = \"%s.tar.gz\"\n    destination = \"/srv/%s\"\n  }\n", name, name)
		switch i % 5 {
		case 0: // nothing is wrong
		case 1:
			interval = `"soon"`
			at(2, 19, "Invalid duration")
		case 2:
			interval = `"10s" }`
			at(2, 25, "Missing newline after argument")
		case 3:
			artifact = "  artefact \"s3\" {}\n"
			at(1, 1, "Missing artifact block")
			at(3, 3, "Unsupported block type")
		case 4:
			artifact = fmt.Sprintf("  artifact \"s3\" {\n    bucket      = \"b\"\n    path        = \"\"\n    destination = \"/srv/service-%03d\"\n  }\n", i-4)
			at(5, 19, "Invalid artifact path")
			at(6, 19, "Duplicate destination")
		}
		write(t, path, fmt.Sprintf("service %q {\n  checkInterval = %s\n%s}\n", name, interval, artifact), 0o640)
	}
	gone := filepath.Join(dir, "service-100-gone.hcl")
	if err := os.Symlink("nowhere", gone); err != nil {
		t.Fatal(err)
	}
	want = append([]string{"Cannot read the file"}, want...) // without a place of its own
	for range 5 {
		_, diags := config.Load(dir, kinds())
		if diff := cmp.Diff(want, diags.Lines()); diff != "" {
			t.Fatalf("mistakes (-want +got):\n%s", diff)
		}
	}
}

// So are the services themselves, with what they share.
func TestManyServicesAreInOrder(t *testing.T) {
	t.Parallel()
	path := manyServices(t, 200)
	first := load(t, path)
	if got, want := len(first.Files), 201; got != want {
		t.Fatalf("got %d files, want %d", got, want)
	}
	again := load(t, path)
	for i, s := range first.Services {
		if got, want := s.Name, fmt.Sprintf("service-%05d", i); got != want {
			t.Errorf("service %d is %s, want %s", i, got, want)
		}
		if got, want := filepath.Base(first.Files[i+1]), s.Name+".hcl"; got != want {
			t.Errorf("file %d is %s, want %s", i+1, got, want)
		}
		if s.Turn == nil || s.Turn.Locker == nil || s.Turn.Locker != first.Services[0].Turn.Locker {
			t.Errorf("%s does not take its turns by the one locker: %+v", s.Name, s.Turn)
		}
		if s.Fingerprint != again.Services[i].Fingerprint {
			t.Errorf("%s has another fingerprint when it is loaded again", s.Name)
		}
	}
}
