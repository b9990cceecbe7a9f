package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dropship/dropship/dropship/config"
)

// What is no configuration is refused by its name, and does not end the process that reads it.
func TestFilesThatAreNone(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		make func(path string) error
		want string
	}{
		"too deep": {
			func(path string) error {
				return os.WriteFile(path, []byte("# one\na = "+strings.Repeat("[", 200_000)), 0o600)
			},
			"More than 1000 brackets are open here",
		},
		"too large": {
			func(path string) error {
				if err := os.WriteFile(path, nil, 0o600); err != nil {
					return err
				}
				return os.Truncate(path, 5<<30)
			},
			"x.hcl has 5368709120 bytes: no configuration has more than 16 MiB",
		},
		"a link to nothing": {
			func(path string) error { return os.Symlink("/nowhere/at/all", path) },
			"x.hcl: lstat /nowhere: no such file or directory",
		},
		"a link to itself": {
			func(path string) error { return os.Symlink("x.hcl", path) },
			"x.hcl: ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := test.make(filepath.Join(dir, "x.hcl")); err != nil {
				t.Fatal(err)
			}
			_, diags := config.Load(dir, kinds())
			all := diags.Errors()
			if len(all) != 1 || !strings.Contains(all[0].Detail, test.want) {
				t.Errorf("got %v, want one mistake with %q", all, test.want)
			}
			if name == "too deep" && (all[0].Subject == nil || all[0].Subject.Start.Line != 2) {
				t.Errorf("it is said to be at %v, want line 2", all[0].Subject)
			}
		})
	}
}

// A number that takes hours to become a string holds up no reload.
func TestNumbersThatAreEnormous(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ text, want string }{
		"an exponent":            {"maxDownloads = 2\nmaxBandwidth = 1e9999999\n", "PATH:2:16: Number out of range"},
		"a negative one":         {"service_path = 1E-99999999\n", "PATH:1:16: Number out of range"},
		"inside":                 {"socket = \"${[-2.5e+999999999][0]}\"\n", "PATH:1:15: Number out of range"},
		"digits":                 {"service \"a\" {\n  hash = " + strings.Repeat("123", 400) + "\n}\n", "PATH:2:10: Number out of range"},
		"one that is just large": {"maxBandwidth = 1e400\n", "PATH:1:16: Size out of range"},
		"none":                   {"# 1e9999\nservice_path = \"${\"9e98009\"}\"\n", "PATH:2:16: No such directory"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "x.hcl")
			write(t, path, test.text, 0o640)
			_, diags := config.Load(path, kinds())
			if got := strings.ReplaceAll(strings.Join(diags.Lines(), "\n"), path, "PATH"); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

// So many brackets as people write are none too many.
func TestBracketsThatAreClosed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.hcl")
	text := strings.Repeat("# ()[]{} and (once more)\n", 5000)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, diags := config.Load(path, kinds()); diags.HasErrors() {
		t.Error(diags)
	}
}
