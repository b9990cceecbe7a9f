package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// A scope evaluates one block: what ${…} can name there, and what it gave, for the fingerprint and so
// that no message shows it.
type scope struct {
	ectx   *hcl.EvalContext
	fields *fields
	given  []string
}

// scope returns what expressions in f can use: env, file and hostname.
func (l *loader) scope(f *file) *scope {
	s := &scope{}
	s.ectx = &hcl.EvalContext{
		Variables: map[string]cty.Value{"hostname": cty.StringVal(l.hostname)},
		Functions: map[string]function.Function{
			"env":  envFunction(s.record),
			"file": fileFunction(filepath.Dir(f.path), s.record),
		},
	}
	s.fields = &fields{ectx: s.ectx}
	return s
}

func (s *scope) record(value string) { s.given = append(s.given, value) }

// take adds what s found wrong, and what it was given, to the load.
func (l *loader) take(s *scope) {
	l.diags = append(l.diags, s.fields.diags...)
	l.secrets = append(l.secrets, s.given...)
	s.fields.diags = nil
}

// envFunction is env(name) and env(name, default). A variable that is not set is an error without a
// default: an empty password would show only much later, and elsewhere.
func envFunction(record func(string)) function.Function {
	return function.New(&function.Spec{
		Params:   []function.Parameter{{Name: "name", Type: cty.String}},
		VarParam: &function.Parameter{Name: "default", Type: cty.String},
		Type:     function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if len(args) > 2 {
				return cty.NilVal, function.NewArgErrorf(2, `write env("NAME") or env("NAME", "default")`)
			}
			name := args[0].AsString()
			value, ok := os.LookupEnv(name)
			switch {
			case ok:
				record(value)
			case len(args) == 2:
				value = args[1].AsString()
			default:
				return cty.NilVal, fmt.Errorf(`environment variable %s is not set: set it where dropship starts, or write env(%q, "default")`, name, name)
			}
			return cty.StringVal(value), nil
		},
	})
}

// fileFunction is file(path): what stands in a file, without the newline that editors end it with.
func fileFunction(dir string, record func(string)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			path := args[0].AsString()
			if !filepath.IsAbs(path) {
				path = filepath.Join(dir, path)
			}
			content, err := os.ReadFile(path)
			if err != nil {
				return cty.NilVal, fmt.Errorf("cannot read file: %w", err)
			}
			value := strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
			record(value)
			return cty.StringVal(value), nil
		},
	})
}
