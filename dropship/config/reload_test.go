package config_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropship/dropship/dropship/config"
)

const running = `stateDir = "/srv/state"
socket   = "/run/a.sock"
` + exporting

// What an agent keeps until its end is refused at its place, or at the one where it was.
func TestReload(t *testing.T) {
	const cannot = " cannot change while the agent runs"
	for name, test := range map[string]struct {
		text string
		env  string
		want []string
	}{
		"nothing": {text: running},
		"something else": {
			text: "# Moved down\nmaxDownloads = 2\n" + running,
		},
		"a directory": {
			text: strings.Replace(running, "/srv/state", "/srv/other", 1),
			want: []string{"PATH:1:12: stateDir" + cannot},
		},
		"the socket is left out": {
			text: strings.Replace(running, `socket   = "/run/a.sock"`, "# here", 1),
			want: []string{"PATH:2:12: socket" + cannot},
		},
		"a block": {
			text: strings.Replace(running, `"a"`, `"b"`, 1),
			want: []string{`PATH:4:1: metrics "one"` + cannot},
		},
		"what env gives in a block": {
			text: running, env: "c",
			want: []string{`PATH:4:1: metrics "one"` + cannot},
		},
		"blocks are gone": {
			text: running[:strings.Index(running, `metrics "two"`)],
			want: []string{`PATH:8:1: metrics "two"` + cannot, `PATH:11:1: tracing "one"` + cannot},
		},
		"a block is new": {
			text: running + "metrics \"three\" {\n}\n",
			want: []string{`PATH:13:1: metrics "three"` + cannot},
		},
		"with another mistake": {
			text: strings.Replace(running, `"a"`, `"b"`, 1) + "maxDownloads = -1\n",
			want: []string{`PATH:4:1: metrics "one"` + cannot, "PATH:13:16: Number out of range"},
		},
		"while a file is broken": {
			text: "stateDir = \n",
			want: []string{"PATH:1:12: Invalid expression"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "dropship.hcl")
			write(t, path, running, 0o640)
			k := exporterKinds()
			k.Metrics["three"] = newExporter
			before, diags := config.Load(path, k)
			if diags.HasErrors() {
				t.Fatal(printed(diags))
			}
			if test.env != "" {
				t.Setenv("DROPSHIP_TEST_EXPORTER", test.env)
			}
			write(t, path, test.text, 0o640)
			c, diags := before.Reload(path, k)
			var got []string
			for _, line := range diags.Lines() {
				got = append(got, strings.ReplaceAll(line, path, "PATH"))
			}
			if diff := cmp.Diff(test.want, got); diff != "" || (c == nil) != (test.want != nil) {
				t.Errorf("got configuration %v, mistakes (-want +got):\n%s", c, diff)
			}
		})
	}
}

// The lines of what is there are shown, and not those of what was: others stand there now.
func TestReloadShowsTheLinesThatAreThere(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "dropship.hcl")
	write(t, path, "socket = \"/run/a.sock\"\n\nmetrics \"one\" {\n}\n", 0o640)
	before, diags := config.Load(path, exporterKinds())
	if diags.HasErrors() {
		t.Fatal(printed(diags))
	}
	write(t, path, "socket = \"/run/b.sock\"\n\n# Nothing\n", 0o640)
	_, diags = before.Reload(path, exporterKinds())
	const want = `PATH:1:10: error: socket cannot change while the agent runs
   1 | socket = "/run/b.sock"
     |          ^^^^^^^^^^^^^
  The agent was started with /run/a.sock. Restart the agent, or change it back.

PATH:3:1: error: metrics "one" cannot change while the agent runs
  The agent was started with what stood here. Restart the agent, or put it back.
`
	if diff := cmp.Diff(want, strings.ReplaceAll(printed(diags), path, "PATH")); diff != "" {
		t.Errorf("printed (-want +got):\n%s", diff)
	}
}

// An agent that has its socket from its command line does not care for another one in the files.
func TestReloadOfAnAgentWithAnotherSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "dropship.hcl")
	write(t, path, running, 0o640)
	before, diags := config.Load(path, exporterKinds())
	if diags.HasErrors() {
		t.Fatal(printed(diags))
	}
	before.Socket = "/run/command-line.sock"
	write(t, path, strings.Replace(running, "/run/a.sock", "/run/b.sock", 1), 0o640)
	if _, diags := before.Reload(path, exporterKinds()); diags.HasErrors() {
		t.Error(printed(diags))
	}
}
