package config_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dropship/dropship/dropship/config"
)

// The socket is found in every configuration in which it can be read, whatever else is wrong there.
func TestSocketIsFoundInAConfigurationWithMistakes(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"no mistake":          `socket = "/run/web.sock"`,
		"unknown names":       "nonsense = 1\nsocket = \"/run/web.sock\"\nnonsense {}\n",
		"no repository":       "socket = \"/run/web.sock\"\nservice \"web\" {\n  artifact \"s4\" {}\n}\n",
		"a block left open":   "service \"web\" {\n\nsocket = \"/run/web.sock\"\n",
		"a quote left open":   "stateDir = \"/var\n\tsocket  =  \"/run/web.sock\" # there\n",
		"a heredoc left open": "socket = \"/run/web.sock\"\nstateDir = <<EOT\nno end\n",
		"another encoding":    "stateDir = \"\xff\"\r\nsocket = \"/run/web.sock\"\r\n",
		"an expression":       "socket = \"/run/${env(\"DROPSHIP_NO_SUCH\", \"web\")}.sock\"\nstateDir = env(\"DROPSHIP_NO_SUCH\")\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "dropship.hcl")
			write(t, path, text, 0o600)
			got, err := config.Socket(path)
			if want := "/run/web.sock"; got != want || err != nil {
				t.Errorf("got %s (%v), want %s", got, err, want)
			}
		})
	}
}

// The files of a directory, and those that a service_path leads to, are read as by Load.
func TestSocketIsFoundInEveryFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"conf", "conf/services"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "conf/a.hcl"), "stateDir = {\n", 0o600)
	write(t, filepath.Join(dir, "conf/b.hcl"), "service_path = \"services\"\n", 0o600)
	write(t, filepath.Join(dir, "conf/services/web.hcl"), "socket = \"/run/web.sock\"\n", 0o600)
	got, err := config.Socket(filepath.Join(dir, "conf"))
	if want := "/run/web.sock"; got != want || err != nil {
		t.Errorf("got %s (%v), want %s", got, err, want)
	}
}

func TestSocketIsTheDefault(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "without.hcl"), "stateDir = \"/var/lib/web\"\n", 0o600)
	write(t, filepath.Join(dir, "unset.hcl"), "socket = env(\"DROPSHIP_NO_SUCH\")\n", 0o600)
	for _, test := range []struct {
		path string
		says string
		err  error
	}{
		{"without.hcl", "", nil},
		{"missing.hcl", "cannot read the configuration: open " + dir, fs.ErrNotExist},
		{"unset.hcl", "cannot tell the socket at " + dir + "/unset.hcl:1:1: ", nil},
	} {
		got, err := config.Socket(filepath.Join(dir, test.path))
		if got != config.DefaultSocket {
			t.Errorf("%s: got %s, want %s", test.path, got, config.DefaultSocket)
		}
		if (err == nil) != (test.says == "") || err != nil && !strings.HasPrefix(err.Error(), test.says) || test.err != nil && !errors.Is(err, test.err) {
			t.Errorf("%s: got error %v, want %q", test.path, err, test.says)
		}
	}
}
