package systemd_test

import (
	"strings"
	"testing"
	"time"

	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/hookstest"
	"github.com/dropship/dropship/hooks/systemd"
)

func TestKind(t *testing.T) {
	t.Parallel()
	k := systemd.Kind()
	if k.Timeout != 5*time.Minute || k.OnError != hooks.Abort || k.When != hooks.Always {
		t.Errorf("got %s, %s, %s, want 5m0s, abort, always", k.Timeout, k.OnError, k.When)
	}
}

func TestString(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 247)
	tests := []struct{ source, want string }{
		{`start = "web"`, "systemd start web.service"},
		{`stop = "web.service"`, "systemd stop web.service"},
		{`restart = "web.socket"`, "systemd restart web.socket"},
		{`reload = "my.app"`, "systemd reload my.app.service"},
		{`reloadOrRestart = "worker@1"`, "systemd reloadOrRestart worker@1.service"},
		{`start = "srv-a\\x2db.mount"`, `systemd start srv-a\x2db.mount`},
		{`start = upper(name)`, "systemd start A-VARIABLE.service"},
		{`start = "` + long + `"`, "systemd start " + long + ".service"},
	}
	for _, tt := range tests {
		if got := hookstest.New(t, systemd.Kind(), tt.source).String(); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.source, got, tt.want)
		}
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	invalid := func(column int) []hookstest.Mistake {
		return []hookstest.Mistake{{Line: 1, Column: column, Summary: "Invalid unit"}}
	}
	tests := []struct {
		name, source string
		want         []hookstest.Mistake
	}{
		{"nothing", ``, []hookstest.Mistake{{Line: 1, Column: 1, Summary: "Missing action"}}},
		{"null", `start = null`, []hookstest.Mistake{{Line: 1, Column: 1, Summary: "Missing action"}}},
		{"two", "stop = \"a\"\nstart = \"a\"", []hookstest.Mistake{{Line: 2, Column: 9, Summary: "More than one action"}}},
		{"empty", `start = ""`, invalid(9)},
		{"blank", `start = " "`, invalid(9)},
		{"a command", `restart = "systemctl restart web"`, invalid(11)},
		{"a path", `start = "/etc/systemd/system/web.service"`, invalid(9)},
		{"a pattern", `stop = "web-*"`, invalid(8)},
		{"a Go template", `stop = "{{.Name}}"`, invalid(8)},
		{"a template unit", `start = "worker@"`, invalid(9)},
		{"a template unit with its suffix", `start = "worker@.service"`, invalid(9)},
		{"an instance of nothing", `start = "@1"`, invalid(9)},
		{"only a suffix", `start = ".service"`, invalid(9)},
		{"too long", `start = "` + strings.Repeat("x", 248) + `"`, invalid(9)},
		{"a list", `start = ["a", "b"]`, []hookstest.Mistake{{Line: 1, Column: 9, Summary: "Unsuitable value type"}}},
		{"unknown variable", `start = nope`, []hookstest.Mistake{
			{Line: 1, Column: 9, Summary: "Unknown variable"},
			{Line: 1, Column: 9, Summary: "Unsuitable value type"},
		}},
		{"unknown attribute", "start = \"a\"\nunit = \"b\"", []hookstest.Mistake{{Line: 2, Column: 1, Summary: "Unsupported argument"}}},
		{"all at once", "start = \"a b\"\nstop = \"\"", []hookstest.Mistake{
			{Line: 2, Column: 8, Summary: "More than one action"},
			{Line: 1, Column: 9, Summary: "Invalid unit"},
			{Line: 2, Column: 8, Summary: "Invalid unit"},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			hookstest.Refuses(t, systemd.Kind(), tt.source, tt.want)
		})
	}
}
