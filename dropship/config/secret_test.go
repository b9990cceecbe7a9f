package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dropship/dropship/dropship/config"
)

const planted = "pLaNtEd-9f2c"

// Each of these is a mistake on a line, or about a value, that holds a credential. Only some are
// mistakes of the credential itself.
var leaks = map[string]string{
	"wrong type":         "repo \"s3\" {\n  secret = [\"" + planted + "\"]\n}\n",
	"unclosed":           "repo \"s3\" {\n  token = \"" + planted + "\n}\n",
	"behind unclosed":    "repo \"s3\" {\n  name = \"x\n  secret = \"" + planted + "\"\n}\n",
	"one line":           "repo \"s3\" { name = \"x\" secret = \"" + planted + "\" }\n",
	"one line, first":    "repo \"s3\" { secret = \"" + planted + "\" name = \"x\" }\n",
	"no operator":        "repo \"s3\" {\n  secret = \"" + planted + "\" name = \"x\"\n}\n",
	"interpolated":       "repo \"s3\" {\n  secret = \"" + planted + "${nope}\"\n}\n",
	"heredoc":            "repo \"s3\" {\n  secret = <<EOT\nfirst\n" + planted + " ${nope}\nEOT\n}\n",
	"several lines":      "repo \"s3\" {\n  secret = [\n    \"" + planted + "\", nope,\n  ]\n}\n",
	"misspelt":           "repo \"s3\" {\n  secrt = 1\n  acessKey = 2\n  mysecret = \"" + planted + "\"\n}\n",
	"header":             "repo \"s3\" {\n  headers = {\n    X-Thing = \"" + planted + "${nope}\"\n  }\n}\n",
	"script's env":       "service \"a\" {\n  before \"script\" {\n    command = \"true\"\n    env = { MINE = \"" + planted + "${nope}\" }\n  }\n}\n",
	"quoted header":      "repo \"s3\" {\n  extra = { \"Authorization\" : \"Bearer " + planted + "${nope}\" }\n}\n",
	"url":                "repo \"s3\" {\n  endpoint = \"https://me:" + planted + "@host/${nope}\"\n}\n",
	"query":              "repo \"s3\" {\n  endpoint = \"https://host/?X-Amz-Signature=" + planted + "${nope}\"\n}\n",
	"script":             "service \"a\" {\n  before \"script\" {\n    command = \"curl -H 'Authorization: Bearer " + planted + "' ${nope}\"\n  }\n}\n",
	"duration":           "service \"a\" {\n  checkInterval = env(\"DROPSHIP_TEST_PLANTED\")\n}\n",
	"duration from file": "service \"a\" {\n  checkInterval = file(\"planted.txt\")\n}\n",
	"group":              "service \"a\" {\n  updateGroup = \"/${env(\"DROPSHIP_TEST_PLANTED\")}\"\n}\n",
	"hash":               "service \"a\" {\n  hash = env(\"DROPSHIP_TEST_PLANTED\")\n}\n",
	"service path":       "service_path = env(\"DROPSHIP_TEST_PLANTED\")\n",
	"repo type":          "repo \"x\" {\n  type = env(\"DROPSHIP_TEST_PLANTED\")\n}\n",
	"choice": "service \"a\" {\n  before \"script\" {\n    command = \"true\"\n    onError = env(\"DROPSHIP_TEST_PLANTED\")\n  }\n" +
		"}\n",
	"beside a call":     "repo \"s3\" {\n  secret = env(\"DROPSHIP_TEST_PLANTED\") token = \"" + planted + "\"\n}\n",
	"default of a call": "repo \"s3\" {\n  secret = env(nope, \"" + planted + "\")\n}\n",
	"comment of a call": "repo \"s3\" {\n  secret = env(\"DROPSHIP_TEST_NEVER_SET\") # " + planted + "\n}\n",
	"behind a call":     "repo \"s3\" {\n  name = \"x\n  secret = env(\"A\") token = \"" + planted + "\"\n}\n",
	"literal elsewhere": "repo \"s3\" {\n  secret = \"" + planted + "\"\n}\nservice \"a\" {\n  checkInterval = env(\"DROPSHIP_TEST_PLANTED\")\n}\n",
	"size":              "service \"a\" {\n  artifact \"s3\" {\n    maxSize = env(\"DROPSHIP_TEST_PLANTED\")\n  }\n}\n",
	"artifact type":     "service \"a\" {\n  artifact \"s3\" {\n    type = env(\"DROPSHIP_TEST_PLANTED\")\n  }\n}\n",
	"file name":         "service \"a\" {\n  hash = file(env(\"DROPSHIP_TEST_PLANTED\"))\n}\n",
	"behind a quote":    "service \"a\" {\n  before \"script\" {\n    command = \"true\n    env = {\n      \"MINE\" = \"" + planted + "\"\n    }\n  }\n}\n",
	"behind ${":         "service \"a\" {\n  before \"script\" {\n    command = \"${A\"\n    env = {\n      \"MINE\" = \"" + planted + "\"\n    }\n  }\n}\n",
	"in no heredoc":     "service \"a\" {\n  before \"script\" {\n    command = <<EOT\n" + planted + "\n  }\n}\n",
	"in no brace":       "repo \"s3\" {\n  headers = {\n    X-Thing = \"a\"\n    \"" + planted + "\"\n",
	"no brace":          "repo \"s3\" {\n  headers =\n    \"X-Thing\" = \"" + planted + "\"\n  }\n}\n",
	"a block":           "repo \"s3\" {\n  headers {\n    \"X-Thing\" = \"" + planted + "\"\n  }\n}\n",
	"no equals sign":    "repo \"s3\" {\n  token \"" + planted + "\"\n}\n",
	"no quotes":         "repo \"s3\" {\n  token = " + planted + "\n}\n",
	"no quotes, call":   "repo \"s3\" {\n  token = " + planted + "(1)\n}\n",
	"directive":         "repo \"s3\" {\n  token = \"%{" + planted + "}\"\n}\n",
	"another function":  "repo \"s3\" {\n  secret = upper(\"" + planted + "\")\n}\n",
	"unknown":           "repo \"s3\" {\n  pasword = \"" + planted + "\"\n}\n",
	"unknown, in line":  "repo \"swift\" { pasword = \"" + planted + "\" }\n",
	"unknown, lines":    "repo \"s3\" {\n  auth = [\n    nope, \"" + planted + "\",\n  ]\n}\n",
	"webhook":           "service \"a\" {\n  after \"webhook\" {\n    url = \"https://h/" + planted + "${nope}\"\n  }\n}\n",
	"webhook's address": "service \"a\" {\n  after \"webhook\" {\n    headers = { A = \"${env(\"A\", \"\")}\" }\n    url = \"ftp://h/" + planted + "\"\n  }\n}\n",
	"webhook from env":  "service \"a\" {\n  after \"webhook\" {\n    url = \"ftp://h/${env(\"DROPSHIP_TEST_PLANTED\")}\"\n  }\n}\n",
	"webhook's secret":  "service \"a\" {\n  after \"webhook\" {\n    url = \"http://h\"\n    secret = \"" + planted + "\"\n  }\n}\n",
	"webhook's body":    "service \"a\" {\n  after \"webhook\" {\n    url = \"http://h\"\n    body = \"{\\\"k\\\": ${env(\"DROPSHIP_TEST_PLANTED\")}}\"\n  }\n}\n",
	"webhook's heredoc": "service \"a\" {\n  after \"webhook\" {\n    url = \"http://h\"\n    body = <<EOT\n{\"routing_key\": \"" + planted + "\", ${nope}}\nEOT\n  }\n}\n",
	"grafana's token":   "service \"a\" {\n  after \"grafana-annotation\" {\n    url = \"http://h\"\n    token = \"" + planted + "\"\n    user = \"x\"\n  }\n}\n",
	"carbon's host":     "metrics \"graphite\" {\n  host = \"me:" + planted + "@graphite\"\n}\n",
	"carbon's address":  "metrics \"graphite\" {\n  host = \"http://me:" + planted + "@graphite\"\n}\n",
	"template":          "service \"a\" {\n  after \"graphite-event\" {\n    host = \"http://h\"\n    what = \"{{.${env(\"DROPSHIP_TEST_PLANTED\")}}}\"\n  }\n}\n",
}

func TestNoMistakeShowsACredential(t *testing.T) {
	t.Setenv("DROPSHIP_TEST_PLANTED", planted)
	for name, text := range leaks {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "dropship.hcl")
			write(t, path, text, 0o644)
			write(t, filepath.Join(dir, "planted.txt"), planted+"\n", 0o600)

			_, diags := config.Load(path, kinds())
			if !diags.HasErrors() {
				t.Fatalf("there is no mistake in\n%s", text)
			}
			for _, width := range []uint{0, 40} {
				var out strings.Builder
				diags.Print(&out, true, width)
				if strings.Contains(out.String(), planted) {
					t.Errorf("printed:\n%s", out.String())
				}
			}
			for _, diag := range append(diags.Errors(), diags.Warnings()...) {
				if strings.Contains(diag.Error(), planted) || diag.Expression != nil || diag.EvalContext != nil || diag.Extra != nil {
					t.Errorf("diagnostic: %#v", diag)
				}
			}
		})
	}
}

func TestCredentialsThatOthersCanRead(t *testing.T) {
	t.Parallel()
	const summary = "Credentials that others can read"
	tests := map[string]struct {
		text string
		mode os.FileMode
		want int // the line of the warning, or 0
	}{
		"literal":          {"# here\nrepo \"s3\" {\n  accessKey = \"a\"\n  secret = \"abcdefgh\"\n}\n", 0o644, 4},
		"first of several": {"repo \"s3\" {\n  secret = \"abcdefgh\"\n  token = \"abcdefgh\"\n}\n", 0o604, 2},
		"lock":             {"lock \"consul\" {\n  password = \"abcdefgh\"\n}\n", 0o644, 2},
		"consul":           {"consul {\n  token = \"abcdefgh\"\n}\n", 0o644, 2},
		"rackspace":        {"rackspace {\n  key = \"abcdefgh\"\n}\n", 0o644, 2},
		"group may read":   {"repo \"s3\" {\n  secret = \"abcdefgh\"\n}\n", 0o640, 0},
		"no literal":       {"repo \"s3\" {\n  secret = env(\"DROPSHIP_TEST_NEVER_SET\", \"\")\n}\n", 0o644, 0},
		"empty":            {"repo \"s3\" {\n  secret = \"\"\n}\n", 0o644, 0},
		"url":              {"service \"a\" {\n  after \"graphite-event\" {\n    host = \"http://me:abcdefgh@host\"\n  }\n}\n", 0o644, 3},
		"url without":      {"service \"a\" {\n  after \"graphite-event\" {\n    host = \"http://me@host:80\"\n  }\n}\n", 0o644, 0},
		"key id":           {"repo \"s3\" {\n  accessKey = \"abcdefgh\"\n}\n", 0o644, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "dropship.hcl")
			write(t, path, test.text, test.mode)

			_, diags := config.Load(path, kinds())
			got := 0
			for _, diag := range diags.Warnings() {
				if diag.Summary != summary {
					continue
				}
				got = diag.Subject.Start.Line
				if !strings.Contains(diag.Detail, "chmod 640 "+path) {
					t.Errorf("the warning does not say what to do: %s", diag.Detail)
				}
			}
			if got != test.want {
				t.Errorf("warning at line %d, want %d:\n%s", got, test.want, printed(diags))
			}
		})
	}
}

// A credential that is a word of what everybody knows is not told by the hole that it would leave there.
func TestCredentialThatIsAWord(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "examples")
	if err := os.Mkdir(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "dropship.hcl")
	write(t, path, `repo "s3" {
  accessKey = "prod"
  secret    = "example"
  token     = "service"
}
service "prod-web" {
  hash          = "example"
  checkInterval = "an example"
  artifact "s3" {
    bucket      = "b"
    path        = "a"
    destination = "/srv/prod"
  }
}
service "prod-web" {
  artifact "s3" {
    bucket      = "b"
    path        = "a"
    destination = "/srv/prod/example"
  }
}
`, 0o644)
	_, diags := config.Load(path, kinds())
	got := printed(diags)
	for _, want := range []string{
		"chmod 640 " + path,
		`Service "prod-web" is defined at ` + path,
		"/srv/prod/example is inside /srv/prod, where service \"prod-web\" at",
		`"(redacted)" is no md5`,
		`"an (redacted)" is no duration`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in:\n%s", want, got)
		}
	}
}

func write(t testing.TB, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
}
