package config

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// decodeExporters makes one exporter from each metrics block, of which there can be one of each kind, and from the
// tracing block.
func (l *loader) decodeExporters(config *Config) {
	metrics := make(map[string]hcl.Range)
	var tracing *hcl.Range
	for _, f := range l.files {
		if f.broken {
			continue
		}
		for _, b := range f.root.Metrics {
			if first, ok := metrics[b.Kind]; ok {
				l.errorf("Duplicate metrics block", &b.Def, "There is one for %s at %s already. Keep one of the two.", b.Kind, place(first))
				continue
			}
			metrics[b.Kind] = b.Def
			l.decodeExporter(config, f, "metrics", b, l.kinds.Metrics)
		}
		for _, b := range f.root.Tracing {
			if tracing != nil {
				l.errorf("Duplicate tracing block", &b.Def, "There is one at %s already, and all services share it.", place(*tracing))
				continue
			}
			tracing = &b.Def
			l.decodeExporter(config, f, "tracing", b, l.kinds.Tracing)
		}
	}
}

// decodeExporter adds the exporter of a block.
func (l *loader) decodeExporter(config *Config, f *file, block string, b kindBlock, kinds map[string]NewExporter) {
	newExporter, ok := kinds[b.Kind]
	if !ok {
		l.unknown("Unknown "+block, b.Label, "kind of "+block, b.Kind, slices.Collect(maps.Keys(kinds)))
		return
	}
	s := l.scope(f)
	exporter, diags := newExporter(b.Rest, s.ectx)
	l.fromKind(f, block+" "+b.Kind, diags)
	l.take(s)
	if !diags.HasErrors() {
		config.Exporters = append(config.Exporters, exporter)
	}
	l.lasting = append(l.lasting, lasting{
		name: fmt.Sprintf("%s %q", block, b.Kind), value: f.block(b.Def, b.Body, s), shown: "another block", at: b.Def,
	})
}
