package config_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/dropship/config"
)

const exporting = `
metrics "one" {
  value = env("DROPSHIP_TEST_EXPORTER", "a")
}

metrics "two" {
}

tracing "one" {
}
`

// exporterKinds are kinds with exporters that are told a value.
func exporterKinds() config.Kinds {
	k := kinds()
	k.Metrics = map[string]config.NewExporter{"one": newExporter, "two": newExporter}
	k.Tracing = map[string]config.NewExporter{"one": newExporter}
	return k
}

type exporter struct {
	dropship.Exporter
	Value string `hcl:"value,optional"`
}

func newExporter(body hcl.Body, ectx *hcl.EvalContext) (dropship.Exporter, hcl.Diagnostics) {
	var e exporter
	diags := gohcl.DecodeBody(body, ectx, &e)
	return e, diags
}

func (exporter) Open(context.Context, *dropship.Agent) error { return nil }
func (exporter) Run(context.Context)                         {}

func TestExporters(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "dropship.hcl")
	write(t, path, exporting, 0o640)
	c, diags := config.Load(path, exporterKinds())
	if diags.HasErrors() {
		t.Fatal(printed(diags))
	}
	if len(c.Exporters) != 3 || c.Exporters[0].(exporter).Value != "a" {
		t.Errorf("got %v, want three exporters, the first with the value a", c.Exporters)
	}
}

func TestMistakesOfExporters(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ text, want string }{
		"one kind twice":     {"metrics \"one\" {\n}\nmetrics \"one\" {\n}\n", "PATH:3:1: error: Duplicate metrics block"},
		"two of tracing":     {"tracing \"one\" {\n}\ntracing \"one\" {\n}\n", "PATH:3:1: error: Duplicate tracing block"},
		"no such metrics":    {"metrics \"tow\" {\n}\n", `There is no kind of metrics "tow". There are "one", "two". Did you mean "two"?`},
		"no such tracing":    {"tracing \"otne\" {\n}\n", "PATH:1:9: error: Unknown tracing"},
		"no such argument":   {"metrics \"one\" {\n  valeu = 1\n}\n", "PATH:2:3: error: Unsupported argument"},
		"a value of no type": {"metrics \"one\" {\n  value = [1]\n}\n", "PATH:2:11: error: Unsuitable value type"},
		"no label":           {"metrics {\n}\n", "PATH:1:9: error: Missing kind for metrics"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "dropship.hcl")
			write(t, path, test.text, 0o640)
			_, diags := config.Load(path, exporterKinds())
			if got := strings.ReplaceAll(printed(diags), path, "PATH"); !strings.Contains(got, test.want) || len(diags.Errors()) != 1 {
				t.Errorf("got %s, want one mistake, with %s", got, test.want)
			}
		})
	}
}
