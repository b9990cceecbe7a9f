package config

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
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
	given  map[string]string // by the call that gave it
}

const (
	envFunction  = "env"
	fileFunction = "file"
)

// scope returns what expressions in f can use: env, file and hostname.
func (l *loader) scope(f *file) *scope {
	s := &scope{given: make(map[string]string)}
	s.ectx = &hcl.EvalContext{
		Variables: map[string]cty.Value{"hostname": cty.StringVal(l.hostname)},
		Functions: map[string]function.Function{
			envFunction:  s.env(),
			fileFunction: s.file(filepath.Dir(f.path)),
		},
	}
	s.fields = &fields{ectx: s.ectx}
	return s
}

// take adds what s found wrong, and what it was given, to the load.
func (l *loader) take(s *scope) {
	l.diags = append(l.diags, s.fields.diags...)
	l.secrets = slices.AppendSeq(l.secrets, maps.Values(s.given))
	s.fields.diags = nil
}

// digest hashes what the scope gave. The calls are sorted: blocks are evaluated in no certain order.
func (s *scope) digest() string {
	var parts []string
	for _, call := range slices.Sorted(maps.Keys(s.given)) {
		parts = append(parts, call, s.given[call])
	}
	return digest(parts...)
}

// env is env(name) and env(name, default). A variable that is not set is an error without a
// default: an empty password would show only much later, and elsewhere.
func (s *scope) env() function.Function {
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
				s.given["env "+name] = value
			case len(args) == 2:
				value = args[1].AsString()
			default:
				return cty.NilVal, &notSetError{name}
			}
			return cty.StringVal(value), nil
		},
	})
}

// A notSetError is a variable of the environment without a value and a default. Where it is found in a file decides whether
// a default may be advised.
type notSetError struct{ name string }

func (e *notSetError) Error() string {
	return fmt.Sprintf("environment variable %s is not set: set it where dropship starts, for its unit in /etc/default/dropship, which `set -a; . /etc/default/dropship; set +a` reads in a shell", e.name)
}

// file is file(path): what stands in a file, without the newline that editors end it with.
func (s *scope) file(dir string) function.Function {
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
			s.given["file "+args[0].AsString()] = value
			return cty.StringVal(value), nil
		},
	})
}
