package script

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/dropship/dropship/dropship/secret"
	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/internal/attr"
)

// config is the inside of a script block. No attribute is a template: a script has the update's data in
// its environment.
type config struct {
	// Command (required) is a string for the shell, /bin/bash -c where there is a bash and else
	// /bin/sh -c, or a list of strings, a program and its arguments, that no shell sees.
	Command hcl.Expression `hcl:"command"`

	// Env (default none) are environment variables for the command. The values may be secrets: they are never
	// printed, except by the command itself, whose output is logged.
	Env      map[string]secret.String `hcl:"env,optional"`
	EnvRange hcl.Range                `hcl:"env,attr_value_range"`

	// User (default the daemon's) is a user's name or id; the command runs as that user, with its
	// groups, HOME, USER and LOGNAME. It is looked up when the command runs. Another than the daemon's own
	// needs a daemon that runs as root; else no update begins.
	User      *string   `hcl:"user"`
	UserRange hcl.Range `hcl:"user,attr_value_range"`
}

// Kind makes script hooks: what puts the machine in order, so they always run and abort. The logger
// gets what commands print.
func Kind(logger *slog.Logger) hooks.Kind {
	return hooks.Kind{
		Timeout: 5 * time.Minute,
		OnError: hooks.Abort,
		When:    hooks.Always,
		New: func(body hcl.Body, ectx *hcl.EvalContext) (hooks.Hook, hcl.Diagnostics) {
			return decode(logger, body, ectx)
		},
	}
}

func decode(logger *slog.Logger, body hcl.Body, ectx *hcl.EvalContext) (hooks.Hook, hcl.Diagnostics) {
	var c config
	diags := gohcl.DecodeBody(body, ectx, &c)
	h := &Hook{logger: logger, env: c.environ(), grace: defaultGrace}

	what, commandDiags := decodeCommand(c.Command, ectx)
	diags = append(diags, commandDiags...)
	h.command, h.name = what, name(c.Command, what)

	diags = append(diags, c.checkEnv()...)
	if c.User != nil {
		h.user = *c.User
		if h.user == "" {
			diags = append(diags, attr.Mistake(c.UserRange, "Empty user",
				"Give the name or the id of a user, or leave user out to run the command as the daemon's."))
		}
	}
	if diags.HasErrors() {
		return nil, diags
	}
	return h, diags
}

// decodeCommand returns the program and its arguments, or, for a string, the string alone.
func decodeCommand(expr hcl.Expression, ectx *hcl.EvalContext) (command, hcl.Diagnostics) {
	if expr == nil {
		return command{}, nil
	}
	wrong := func(summary, detail string) (command, hcl.Diagnostics) {
		return command{}, hcl.Diagnostics{attr.Mistake(expr.Range(), summary, detail)}
	}
	v, diags := expr.Value(ectx)
	switch {
	case diags.HasErrors():
		return command{}, diags
	case v.IsNull():
		return wrong("Missing command", `A script needs a command: a string for the shell ("systemctl stop web"), or a list that no shell sees (["systemctl", "stop", "web"]).`)
	case !v.IsWhollyKnown():
		return wrong("Unknown command", "The command must be known when the configuration is loaded.")
	case v.Type() == cty.String:
		text := v.AsString()
		if strings.TrimSpace(text) == "" {
			return wrong("Empty command", "There must be something to run.")
		}
		if strings.Contains(text, "\x00") {
			return wrong("Invalid command", "A command cannot have a NUL character in it.")
		}
		return command{shell: text}, nil
	}
	list, err := convert.Convert(v, cty.List(cty.String))
	if err != nil || !v.Type().IsTupleType() && !v.Type().IsListType() {
		return wrong("Invalid command", fmt.Sprintf("The command must be a string for the shell, or a list of strings that no shell sees, not %s.", v.Type().FriendlyName()))
	}
	var argv []string
	for _, arg := range list.AsValueSlice() {
		if arg.IsNull() || strings.Contains(arg.AsString(), "\x00") {
			return wrong("Invalid command", "No string of the list can be null or have a NUL character in it.")
		}
		argv = append(argv, arg.AsString())
	}
	if len(argv) == 0 || argv[0] == "" {
		return wrong("Empty command", "The first string of the list must name a program.")
	}
	return command{argv: argv}, nil
}

// name is what the hook is called: by its command where the file has it in so many words, else by its
// place, since what an expression evaluates to may hold a secret.
func name(expr hcl.Expression, c command) string {
	if expr == nil {
		return "script"
	}
	if _, diags := expr.Value(nil); diags.HasErrors() {
		return fmt.Sprintf("script %s:%d", expr.Range().Filename, expr.Range().Start.Line)
	}
	const limit = 60
	text := strings.TrimSpace(c.String())
	first, _, more := strings.Cut(text, "\n")
	if runes := []rune(first); len(runes) > limit {
		first, more = string(runes[:limit]), true
	}
	if more {
		first = strings.TrimSpace(first) + " …"
	}
	return "script: " + printable(first)
}

// printable replaces what would garble a line of a log or a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return ' '
		}
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return '�'
		}
		return r
	}, s)
}

func (c config) environ() []string {
	var vars []string
	for _, key := range slices.Sorted(maps.Keys(c.Env)) {
		vars = append(vars, key+"="+c.Env[key].Reveal())
	}
	return vars
}

func (c config) checkEnv() hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, key := range slices.Sorted(maps.Keys(c.Env)) {
		switch {
		case key == "" || strings.ContainsAny(key, "=\x00"):
			diags = append(diags, attr.Mistake(c.EnvRange, "Invalid variable name",
				fmt.Sprintf("%q cannot be the name of an environment variable: it is empty, or has \"=\" or a NUL character in it.", key)))
		case strings.HasPrefix(key, "DROPSHIP_"):
			diags = append(diags, attr.Mistake(c.EnvRange, "Reserved variable name",
				fmt.Sprintf("Variables that begin with DROPSHIP_ tell the script about the update; call %s something else.", key)))
		case strings.Contains(c.Env[key].Reveal(), "\x00"):
			diags = append(diags, attr.Mistake(c.EnvRange, "Invalid variable value",
				fmt.Sprintf("The value of %s has a NUL character in it, which no environment variable can hold.", key)))
		}
	}
	return diags
}
