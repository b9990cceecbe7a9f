// Package tags is the attribute of that name, of hooks that mark graphs.
package tags

import (
	"slices"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/internal/attr"
)

// Tags are the templates of an event's tags.
type Tags struct {
	templates []*hooks.Template
	split     bool // the one template renders to several tags
}

// Decode returns the templates of the tags: of a list one for each tag, of a string one for all.
func Decode(attribute *hcl.Attribute, ectx *hcl.EvalContext) (Tags, hcl.Diagnostics) {
	at := attribute.Expr.Range()
	v, diags := attribute.Expr.Value(ectx)
	if diags.HasErrors() {
		return Tags{}, diags
	}
	if v.IsNull() {
		return Tags{}, nil
	}
	invalid := hcl.Diagnostics{attr.Mistake(at, "Invalid tags",
		`Tags are a string with spaces or commas between them ("deployment web"), or a list of strings (["deployment", "web"]).`)}
	if !v.IsWhollyKnown() {
		return Tags{}, invalid
	}
	if v.Type() == cty.String {
		t, diags := hooks.DecodeTemplate(v.AsString(), at)
		return Tags{templates: []*hooks.Template{t}, split: true}, diags
	}
	list, err := convert.Convert(v, cty.List(cty.String))
	if err != nil || !v.Type().IsTupleType() && !v.Type().IsListType() {
		return Tags{}, invalid
	}
	var all Tags
	for _, tag := range list.AsValueSlice() {
		if tag.IsNull() {
			return Tags{}, invalid
		}
		t, more := hooks.DecodeTemplate(tag.AsString(), at)
		diags = append(diags, more...)
		all.templates = append(all.templates, t)
	}
	return all, diags
}

// Render returns the tags of one event, the service's name among them: each once, none empty, none with a
// space in it. They are made anew for every event.
func (t Tags) Render(ev hooks.Event) ([]string, error) {
	var all []string
	for _, template := range t.templates {
		text, err := template.Render(ev)
		if err != nil {
			return nil, err
		}
		if t.split {
			all = append(all, strings.FieldsFunc(text, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })...)
			continue
		}
		all = append(all, text)
	}
	all = append(all, ev.Name)

	var tags []string
	for _, tag := range all {
		tag = strings.Join(strings.Fields(tag), "_")
		if tag != "" && !slices.Contains(tags, tag) {
			tags = append(tags, tag)
		}
	}
	return tags, nil
}
