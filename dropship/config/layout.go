package config

import (
	"reflect"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
)

// A layout says which part of a block goes into which field of the struct that stands for it, by the tags that gohcl
// knows. Gohcl itself reads the tags anew for each block, which takes longer than to parse it.
type layout struct {
	schema *hcl.BodySchema
	open   bool // others decode what the schema leaves
	fields []field
}

// A field is one of the struct, by its tag "NAME,PART".
type field struct {
	name, part string
	layout     *layout // of each block of that name
}

var rootLayout = newLayout(reflect.TypeFor[rootBlock]())

func newLayout(t reflect.Type) *layout {
	l := &layout{fields: make([]field, t.NumField())}
	l.schema, l.open = gohcl.ImpliedBodySchema(reflect.Zero(t).Interface())
	for i := range l.fields {
		f := &l.fields[i]
		f.name, f.part, _ = strings.Cut(t.Field(i).Tag.Get("hcl"), ",")
		if f.part == "block" {
			f.layout = newLayout(t.Field(i).Type.Elem())
		}
	}
	return l
}

// decode does what gohcl.DecodeBody does for a file, and evaluates nothing.
func (r *rootBlock) decode(body hcl.Body) hcl.Diagnostics {
	return rootLayout.decode(&hcl.Block{Body: body}, reflect.ValueOf(r).Elem())
}

// decode fills a struct of that layout.
func (l *layout) decode(block *hcl.Block, into reflect.Value) hcl.Diagnostics {
	var content *hcl.BodyContent
	var rest hcl.Body
	var diags hcl.Diagnostics
	if l.open {
		content, rest, diags = block.Body.PartialContent(l.schema)
	} else {
		content, diags = block.Body.Content(l.schema)
	}
	for i, f := range l.fields {
		value := into.Field(i)
		switch to := value.Addr().Interface().(type) {
		case **hcl.Attribute:
			*to = content.Attributes[f.name]
		case *string:
			*to = block.Labels[0]
		case *hcl.Range:
			*to = block.DefRange
			if f.part == "label_range" {
				*to = block.LabelRanges[0]
			}
		case *hcl.Body:
			*to = block.Body
			if f.part == "remain" {
				*to = rest
			}
		default:
			blocks := content.Blocks.OfType(f.name)
			if len(blocks) == 0 {
				continue
			}
			value.Set(reflect.MakeSlice(value.Type(), len(blocks), len(blocks)))
			for j, inner := range blocks {
				diags = append(diags, f.layout.decode(inner, value.Index(j))...)
			}
		}
	}
	return diags
}
