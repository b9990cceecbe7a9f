package hooks

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// A Template is a Go text/template over an Event. It is parsed once, and rendered anew for every event. Beside the
// functions of text/template there is json, which gives its argument in JSON: {{json .Error}} is a string in quotes,
// whatever there is in it.
type Template struct {
	text string             // all of it, where there is nothing to render
	t    *template.Template // else
}

var functions = template.FuncMap{"json": inJSON}

// inJSON returns v in JSON. Not for a page, so that "<" stays as it is.
func inJSON(v any) (string, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// ParseTemplate parses text and tries it on an event of each status and phase, so that a field that
// does not exist, or an expression that fails at a first install, is an error when the configuration
// is loaded and not in the middle of an update.
//
// A range is refused. No field of an event has elements, so it could only count, and nothing ends
// {{range 3000000000}} before its time.
func ParseTemplate(text string) (*Template, error) {
	if !strings.Contains(text, "{{") {
		return &Template{text: text}, nil
	}
	t, err := template.New("template").Funcs(functions).Parse(text)
	if err != nil {
		return nil, fmt.Errorf("cannot parse template: %w", err)
	}
	for _, defined := range t.Templates() {
		if err := refuseRange(defined.Root); err != nil {
			return nil, fmt.Errorf("cannot parse template: %w", err)
		}
	}
	if err := checkFields(t.Root); err != nil {
		return nil, fmt.Errorf("cannot parse template: %w", err)
	}
	p := &Template{t: t}
	for _, ev := range samples() {
		if _, err := p.Render(ev); err != nil {
			return nil, fmt.Errorf("%w (%s)", err, tried(ev))
		}
	}
	return p, nil
}

// DecodeTemplate is ParseTemplate for an attribute of a configuration: the error is a diagnostic at
// the value's range, and the template is nil then.
func DecodeTemplate(text string, value hcl.Range) (*Template, hcl.Diagnostics) {
	t, err := ParseTemplate(text)
	if err != nil {
		return nil, hcl.Diagnostics{{
			Severity: hcl.DiagError,
			Summary:  "Invalid template",
			Detail:   fmt.Sprintf("This must be a Go text/template over the update's data: %v.", err),
			Subject:  value.Ptr(),
		}}
	}
	return t, nil
}

// Render returns the template's text for ev. Rendering changes neither.
func (t *Template) Render(ev Event) (string, error) {
	if t.t == nil {
		return t.text, nil
	}
	var b strings.Builder
	if err := t.t.Execute(&b, fields{Event: ev, Started: stamp{ev.Started}}); err != nil {
		return "", fmt.Errorf("cannot render template: %w", err)
	}
	return b.String(), nil
}

// Try renders t for made-up events: one of each status and phase, and then again with quotes, line breaks and more of the
// kind in every field that may have such. It returns the first error of check, which gets the text.
func (t *Template) Try(check func(text string) error) error {
	plain := samples()
	for i, ev := range append(plain, awkward()...) {
		text, err := t.Render(ev)
		if err == nil {
			err = check(text)
		}
		switch {
		case err != nil && i < len(plain):
			return fmt.Errorf("%w (%s)", err, tried(ev))
		case err != nil:
			return fmt.Errorf("%w (%s, with quotes and line breaks in its values)", err, tried(ev))
		}
	}
	return nil
}

// tried names a made-up event.
func tried(ev Event) string {
	return fmt.Sprintf("tried with a made-up event: status %q, phase %q, previous hash %q", ev.Status, ev.Phase, ev.PreviousHash)
}

// awkward are the samples with values that break formats which they are put into as they are.
func awkward() []Event {
	const odd = "\"a\" 'b' <c> & \\d, {e}\r\n\tf \u2028\x00\xff"
	all := samples()
	for i := range all {
		all[i].Artifact += odd
		all[i].Destination += odd
		if all[i].Error != "" {
			all[i].Error += ": " + odd
		}
	}
	return all
}

// samples are the events that differ in what templates branch on.
func samples() []Event {
	update := Event{
		Name:         "my-service",
		Hostname:     "web-01",
		Hash:         "0123456789abcdef0123456789abcdef",
		PreviousHash: "fedcba9876543210fedcba9876543210",
		Phase:        After,
		Status:       StatusUpdate,
		Artifact:     "s3://my-s3bucket/my-service.tar.gz",
		Destination:  "/srv/my-service",
		UpdateID:     "20150102T150405Z-0123456789abcdef",
		Started:      time.Date(2015, time.January, 2, 15, 4, 5, 0, time.UTC),
	}
	before, first, rollback, failed := update, update, update, update
	before.Phase = Before
	first.PreviousHash = ""
	rollback.Status, rollback.Error = StatusRollback, "after hook 1, script: exit status 1"
	failed.Status, failed.Error = StatusFailed, "before hook 1, script: exit status 1"
	return []Event{update, before, first, rollback, failed}
}

// checkFields looks for fields of the event that do not exist, also in branches that no sample takes.
// Where the dot is something else than the event (in with and define) it leaves them to Render.
func checkFields(node parse.Node) error {
	switch n := node.(type) {
	case *parse.ListNode:
		if n == nil {
			return nil
		}
		return checkAll(n.Nodes)
	case *parse.ActionNode:
		return checkFields(n.Pipe)
	case *parse.IfNode:
		return errors.Join(checkFields(n.Pipe), checkFields(n.List), checkFields(n.ElseList))
	case *parse.WithNode:
		return errors.Join(checkFields(n.Pipe), checkFields(n.ElseList))
	case *parse.TemplateNode:
		return checkFields(n.Pipe)
	case *parse.PipeNode:
		if n == nil {
			return nil
		}
		return checkAll(n.Cmds)
	case *parse.CommandNode:
		return checkAll(n.Args)
	case *parse.FieldNode:
		return checkField(n.Ident[0])
	case *parse.VariableNode:
		if n.Ident[0] == "$" && len(n.Ident) > 1 {
			return checkField(n.Ident[1])
		}
	}
	return nil
}

// refuseRange looks for a range, in branches that no sample takes, too.
func refuseRange(node parse.Node) error {
	switch n := node.(type) {
	case *parse.ListNode:
		if n == nil {
			return nil
		}
		for _, inner := range n.Nodes {
			if err := refuseRange(inner); err != nil {
				return err
			}
		}
	case *parse.IfNode:
		return errors.Join(refuseRange(n.List), refuseRange(n.ElseList))
	case *parse.WithNode:
		return errors.Join(refuseRange(n.List), refuseRange(n.ElseList))
	case *parse.RangeNode:
		return errors.New("there is nothing to range over: no field has elements")
	}
	return nil
}

func checkAll[N parse.Node](nodes []N) error {
	var errs []error
	for _, n := range nodes {
		errs = append(errs, checkFields(n))
	}
	return errors.Join(errs...)
}

func checkField(name string) error {
	if slices.Contains(fieldNames, name) {
		return nil
	}
	return fmt.Errorf("there is no {{.%s}}; there are %s", name, strings.Join(fieldNames, ", "))
}

// fieldNames are those of an event.
var fieldNames = func() []string {
	var names []string
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Event]()) {
		names = append(names, f.Name)
	}
	return names
}()
