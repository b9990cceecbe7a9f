package script_test

import (
	"strings"
	"testing"
	"time"

	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/hookstest"
	"github.com/dropship/dropship/hooks/script"
)

func TestKind(t *testing.T) {
	t.Parallel()
	k := script.Kind(discard)
	if k.Timeout != 5*time.Minute || k.OnError != hooks.Abort || k.When != hooks.Always {
		t.Errorf("got %s, %s, %s, want 5m0s, abort, always", k.Timeout, k.OnError, k.When)
	}
}

func TestString(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, source, want string }{
		{"string", `command = "systemctl stop web"`, "script: systemctl stop web"},
		{"list", `command = ["/bin/x", "a b", "", "c"]`, `script: /bin/x "a b" "" c`},
		{"first line", "command = <<-SH\n  set -e\n  echo ä\nSH\n", "script: set -e …"},
		{"long", `command = "` + strings.Repeat("ä", 80) + `"`, "script: " + strings.Repeat("ä", 60) + " …"},
		{"garbling", `command = "a\tb\u001bc"`, "script: a b�c"},
		{"an expression", "\ncommand = \"echo ${name}\"", "script test.hcl:2"},
		{"a function", `command = ["echo", upper("x")]`, "script test.hcl:1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := newHook(t, tt.source).String(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, source string
		want         []hookstest.Mistake
	}{
		{"no command", ``, []hookstest.Mistake{{Line: 1, Column: 1, Summary: "Missing command"}}},
		{"null", `command = null`, []hookstest.Mistake{{Line: 1, Column: 11, Summary: "Missing command"}}},
		{"blank", `command = "  "`, []hookstest.Mistake{{Line: 1, Column: 11, Summary: "Empty command"}}},
		{"empty list", `command = []`, []hookstest.Mistake{{Line: 1, Column: 11, Summary: "Empty command"}}},
		{"empty program", `command = ["", "x"]`, []hookstest.Mistake{{Line: 1, Column: 11, Summary: "Empty command"}}},
		{"a number", `command = 5`, []hookstest.Mistake{{Line: 1, Column: 11, Summary: "Invalid command"}}},
		{"an object", `command = { a = "b" }`, []hookstest.Mistake{{Line: 1, Column: 11, Summary: "Invalid command"}}},
		{"a list of lists", `command = [["a"]]`, []hookstest.Mistake{{Line: 1, Column: 11, Summary: "Invalid command"}}},
		{"null in a list", `command = ["a", null]`, []hookstest.Mistake{{Line: 1, Column: 11, Summary: "Invalid command"}}},
		{"unknown variable", `command = "echo ${nope}"`, []hookstest.Mistake{{Line: 1, Column: 19, Summary: "Unknown variable"}}},
		{"unknown attribute", "command = \"true\"\ncomand = \"x\"", []hookstest.Mistake{{Line: 2, Column: 1, Summary: "Unsupported argument"}}},
		{"all at once", "command = 5\nenv = { \"A=B\" = \"x\", DROPSHIP_X = \"y\" }\nuser = \"\"", []hookstest.Mistake{
			{Line: 1, Column: 11, Summary: "Invalid command"},
			{Line: 2, Column: 7, Summary: "Invalid variable name"},
			{Line: 2, Column: 7, Summary: "Reserved variable name"},
			{Line: 3, Column: 8, Summary: "Empty user"},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			hookstest.Refuses(t, script.Kind(discard), tt.source, tt.want)
		})
	}
}
