package config_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/dropship/dropship/dropship/config"
)

// FuzzLoad wants that no file makes Load panic, and that it says what is wrong or returns services that
// are complete.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"testdata/*/*.hcl", "testdata/*/*/*.hcl", "testdata/*/*/*/*.hcl"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range paths {
			content, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(content)
		}
	}
	for _, text := range leaks {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "dropship.hcl")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		got, diags := config.Load(path, kinds())
		diags.Print(io.Discard, true, 80)
		if (got == nil) != diags.HasErrors() {
			t.Fatalf("configuration %v with errors %v", got, diags.Errors())
		}
		for _, diag := range diags.Errors() {
			if diag.Subject == nil || diag.Subject.Filename == "" {
				t.Errorf("%s: %s does not say where", diag.Summary, diag.Detail)
			}
		}
		if got == nil {
			return
		}
		for _, s := range got.Services {
			if s.Source == nil || s.Site == nil || s.CheckInterval <= 0 || s.Fingerprint == "" || s.Site.Options().Archive.Format == "" {
				t.Errorf("service %+v is not complete", s)
			}
			for _, step := range append(s.Before, s.After...) {
				if step.Hook == nil || step.Timeout <= 0 || step.OnError == "" || step.When == "" {
					t.Errorf("step %+v of %s is not complete", step, s.Name)
				}
			}
			if s.Turn != nil && (s.Turn.Slots < 1 || s.Turn.Group == "") {
				t.Errorf("turn %+v of %s is not complete", s.Turn, s.Name)
			}
		}
	})
}
