package config_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropship/dropship/dropship/config"
)

const printedText = "service \"web\" {\n" +
	"\tcheckInterval = \"tenz\"\x1b[2J\n" +
	"\n" +
	"\tartifact \"s3\" {\n" +
	"\t\tbucket = \"b\"\n" +
	"\t\tpath = \"ü.tar.gz\"\n" +
	"\t\tdestination = \"/srv/web\"\n" +
	"\t\tkepReleases = 3\n" +
	"\t}\n" +
	"}\n"

func TestPrint(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "web.hcl")
	write(t, path, strings.ReplaceAll(printedText, "\x1b[2J", ""), 0o640)
	_, diags := config.Load(path, kinds())

	want := `PATH:2:18: error: Invalid duration
   2 | 	checkInterval = "tenz"
     | 	                ^^^^^^
  "tenz" is no duration. Write numbers with
  units (ms, s, m, h) and no spaces, such
  as "10s", "1m30s" or "2h".

PATH:8:3: error: Unsupported argument
   8 | 		kepReleases = (redacted)
     | 		^^^^^^^^^^^
  An argument named "kepReleases" is not
  expected here. Did you mean
  "keepReleases"?
`
	var b strings.Builder
	diags.Print(&b, false, 43)
	if diff := cmp.Diff(want, strings.ReplaceAll(b.String(), path, "PATH")); diff != "" {
		t.Errorf("printed (-want +got):\n%s", diff)
	}

	b.Reset()
	diags.Print(&b, true, 43)
	if got := b.String(); !strings.Contains(got, "\x1b[31merror:\x1b[0m \x1b[1mInvalid duration\x1b[0m") {
		t.Errorf("printed in colour:\n%q", got)
	}
}

// A default would put a credential into the file.
func TestNoDefaultIsAdvisedForACredential(t *testing.T) {
	t.Parallel()
	const advice = `Or write env("DROPSHIP_TEST_`
	for text, want := range map[string]bool{
		`stateDir = env("DROPSHIP_TEST_NEVER_SET")`:                                        true,
		`stateDir = "/srv/${env("DROPSHIP_TEST_NEVER_SET")}"`:                              true,
		`stateDir = env("DROPSHIP_TEST_SECRET_KEY")`:                                       false,
		"repo \"s3\" {\n  secret = env(\"DROPSHIP_TEST_NEVER_SET\")\n}":                    false,
		"repo \"s3\" {\n  secret = \"a${env(\"DROPSHIP_TEST_NEVER_SET\")}\"\n}":            false,
		"repo \"http\" {\n  headers = { X = env(\"DROPSHIP_TEST_NEVER_SET\") }\n}":         false,
		"repo \"http\" {\n  headers = {\n    X = env(\"DROPSHIP_TEST_NEVER_SET\")\n  }\n}": false,
	} {
		path := filepath.Join(t.TempDir(), "web.hcl")
		write(t, path, text+"\n", 0o640)
		_, diags := config.Load(path, kinds())
		got := printed(diags)
		if !strings.Contains(got, "is not set: set it where dropship starts, for its unit in /etc/default/dropship") || strings.Contains(got, advice) != want {
			t.Errorf("%s: a default is to be advised: %v; got\n%s", text, want, got)
		}
	}
}

func TestPrintSaysWhatWasMeant(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ text, want string }{
		"a variable that holds a credential": {
			"repo \"s3\" {\n  secret = env(\"DROPSHIP_TEST_NEVER_SET\")\n}\n",
			"   2 |   secret = env(\"DROPSHIP_TEST_NEVER_SET\")\n     |            ^^^^\n" +
				"  Environment variable DROPSHIP_TEST_NEVER_SET is not set",
		},
		"an attribute of another block":  {"service \"a\" {\n  destination = \"/srv/a\"\n}\n", "It belongs into an artifact block."},
		"a misspelt attribute of a hook": {"service \"a\" {\n  before \"script\" {\n    onerror = \"abort\"\n  }\n}\n", `Did you mean "onError"?`},
		"a misspelt kind":                {"lock \"cnsul\" {\n}\n", `Did you mean "consul"?`},
		"a misspelt block":               {"servcie \"a\" {\n}\n", `Did you mean "service"?`},
		"an extension for a type":        {"service \"a\" {\n  artifact \"s3\" {\n    type = \"tgz\"\n  }\n}\n", `Did you mean "tar.gz"?`},
		"a number for a duration":        {"service \"a\" {\n  checkInterval = 10\n}\n", `checkInterval = "10s"`},
		"the end of a line": {
			"service \"a\" {\n  hash = \n}\n",
			"   2 |   hash = \n     |          ^\n",
		},
		"a region of S3":              {"repo \"s3\" {\n  region = \"x\"\n}\n", `Did you mean "name"?`},
		"a key of S3":                 {"service \"a\" {\n  artifact \"s3\" {\n    key = \"x\"\n  }\n}\n", `Did you mean "path"?`},
		"a dest":                      {"service \"a\" {\n  artifact \"s3\" {\n    dest = \"x\"\n  }\n}\n", `Did you mean "destination"?`},
		"an interval":                 {"service \"a\" {\n  interval = \"10s\"\n}\n", `Did you mean "checkInterval"?`},
		"a cmd":                       {"service \"a\" {\n  before \"script\" {\n    cmd = \"true\"\n  }\n}\n", `Did you mean "command"?`},
		"a variable of the shell":     {"service \"a\" {\n  before \"script\" {\n    command = \"cd ${HOME}\"\n  }\n}\n", `$${HOME} leaves it to the shell, and ${env("HOME")} takes`},
		"a credential without quotes": {"repo \"s3\" {\n  token = abcd\n}\n", "There is no such variable. Put the value in quotes"},
		"a negative number":           {"service \"a\" {\n  checkInterval = -1\n}\n", `checkInterval must be a duration such as "10s" or "1m30s", and longer than zero.`},
		"too short an interval":       {"service \"a\" {\n  checkInterval = \"99ms\"\n}\n", "checkInterval must be at least 100ms."},
		"another encoding":            {"s\x00e\x00r\x00v\x00", "web.hcl:1:1: error: Not UTF-8\n  The file"},
		"a forgotten equals sign":     {"repo \"s3\" {\n  token \"abcd\"\n}\n", "   2 |   token (redacted)\n"},
		"a condition":                 {"service \"a\" {\n  hash = hostname == \"x\" ? \"abcd\" : \"efgh\"\n}\n", `? "abcd" : "efgh"`},
		"an unclosed quote": {
			"service \"a\" {\n  hash = \"abc\n}\n",
			"   2 |   hash = \"abc\n     |          ^^^^\n",
		},
		"an unclosed heredoc": {
			"service \"a\" {\n  hash = <<-END\n    abc\n}\n",
			"   2 |   hash = <<-END\n     |          ^^^^^^\n  No line below is the marker alone",
		},
		"several arguments in a line": {"repo \"file\" { root = \"/srv\" type = \"file\" }\n", "each goes on a line of its own"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "web.hcl")
			write(t, path, test.text, 0o640)
			_, diags := config.Load(path, kinds())
			if got := printed(diags); !strings.Contains(got, test.want) {
				t.Errorf("printed:\n%s\nwant in it:\n%s", got, test.want)
			}
		})
	}
}

func TestPrintLetsNothingActOnTheTerminal(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "web.hcl")
	write(t, path, printedText, 0o640)
	_, diags := config.Load(path, kinds())
	if got := printed(diags); !diags.HasErrors() || strings.Contains(got, "\x1b") {
		t.Errorf("printed:\n%q", got)
	}
}
