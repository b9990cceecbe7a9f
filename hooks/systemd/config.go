package systemd

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"

	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/internal/attr"
)

// config is the inside of a systemd block: exactly one of these, the name of a unit. ".service" is added where a
// name has no suffix of a unit, as systemctl does. Not templates.
type config struct {
	// Start starts the unit; one that is active already is left as it is.
	Start      *string   `hcl:"start"`
	StartRange hcl.Range `hcl:"start,attr_value_range"`
	// Stop stops the unit; one that is not active is left as it is.
	Stop      *string   `hcl:"stop"`
	StopRange hcl.Range `hcl:"stop,attr_value_range"`
	// Restart stops the unit if it is active, and starts it.
	Restart      *string   `hcl:"restart"`
	RestartRange hcl.Range `hcl:"restart,attr_value_range"`
	// Reload has the unit, which must be active and have an ExecReload, read its configuration again.
	Reload      *string   `hcl:"reload"`
	ReloadRange hcl.Range `hcl:"reload,attr_value_range"`
	// ReloadOrRestart reloads the unit if it is active and can do that, else restarts or starts it.
	ReloadOrRestart      *string   `hcl:"reloadOrRestart"`
	ReloadOrRestartRange hcl.Range `hcl:"reloadOrRestart,attr_value_range"`
}

// Kind makes systemd hooks: what puts the machine in order, so they always run and abort.
func Kind() hooks.Kind {
	return hooks.Kind{Timeout: 5 * time.Minute, OnError: hooks.Abort, When: hooks.Always, New: decode}
}

func decode(body hcl.Body, ectx *hcl.EvalContext) (hooks.Hook, hcl.Diagnostics) {
	var c config
	diags := gohcl.DecodeBody(body, ectx, &c)
	given := c.given(diags)
	switch {
	case len(given) == 0 && !diags.HasErrors():
		diags = append(diags, attr.Mistake(body.MissingItemRange(), "Missing action",
			`Say what to do to which unit: start, stop, restart, reload or reloadOrRestart = "my-service".`))
	case len(given) > 1:
		diags = append(diags, attr.Mistake(given[1].at, "More than one action",
			fmt.Sprintf("This block has %s already, and one hook does one thing. Give %s a systemd block of its own; hooks run in the order of the file.",
				given[0].action, given[1].action)))
	}
	h := &Hook{at: standard}
	for _, g := range given {
		unit, wrong := unitName(g.unit)
		if wrong != "" {
			diags = append(diags, attr.Mistake(g.at, "Invalid unit", wrong))
		}
		h.action, h.unit = g.action, unit
	}
	if diags.HasErrors() {
		return nil, diags
	}
	return h, diags
}

// A wish is one attribute that is there.
type wish struct {
	action action
	unit   string
	at     hcl.Range
}

// given returns the attributes that are there and decoded well, in the order of the file.
func (c config) given(diags hcl.Diagnostics) []wish {
	var all []wish
	add := func(a action, unit *string, at hcl.Range) {
		if unit != nil && attr.Decoded(diags, at) {
			all = append(all, wish{a, *unit, at})
		}
	}
	add(start, c.Start, c.StartRange)
	add(stop, c.Stop, c.StopRange)
	add(restart, c.Restart, c.RestartRange)
	add(reload, c.Reload, c.ReloadRange)
	add(reloadOrRestart, c.ReloadOrRestart, c.ReloadOrRestartRange)
	slices.SortStableFunc(all, func(a, b wish) int { return a.at.Start.Byte - b.at.Start.Byte })
	return all
}

// suffixes are the types of units that something can be done to.
var suffixes = []string{
	".service", ".socket", ".target", ".timer", ".path", ".mount", ".automount", ".swap", ".slice", ".scope",
}

// unitName returns the whole name of a unit, or what is wrong with it, in a sentence.
func unitName(name string) (unit, wrong string) {
	const allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@"
	if name == "" {
		return "", `Give the name of a unit, such as "my-service".`
	}
	if i := strings.IndexFunc(name, func(r rune) bool { return !strings.ContainsRune(allowed, r) }); i >= 0 {
		return "", fmt.Sprintf("%q cannot be the name of a unit: %q is not allowed in one. Give one unit, by its name alone.",
			name, []rune(name[i:])[0])
	}
	unit = name
	if !slices.ContainsFunc(suffixes, func(suffix string) bool { return strings.HasSuffix(name, suffix) }) {
		unit += ".service"
	}
	stem := unit[:strings.LastIndexByte(unit, '.')]
	const limit = 255
	switch {
	case len(unit) > limit:
		return "", fmt.Sprintf("A unit's name has no more than %d characters; this one has %d.", limit, len(unit))
	case stem == "" || stem[0] == '@':
		return "", fmt.Sprintf("%q has a suffix only, and no name.", name)
	case stem[len(stem)-1] == '@':
		return "", fmt.Sprintf("%q is a template, of which only instances run: name one, such as %q.", name, stem+"1")
	}
	return unit, ""
}
