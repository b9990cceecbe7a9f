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
	first := make(map[string]hcl.Range)
	for _, p := range placedIn(l.files, func(r rootBlock) []kindBlock { return r.Metrics }) {
		if at, ok := first[p.part.Kind]; ok {
			l.errorf("Duplicate metrics block", &p.part.Def, "There is one for %s at %s already. Keep one of the two.", p.part.Kind, place(at))
		} else {
			first[p.part.Kind] = p.part.Def
		}
		l.decodeExporter(config, p.file, "metrics", p.part, l.kinds.Metrics)
	}
	tracing := placedIn(l.files, func(r rootBlock) []kindBlock { return r.Tracing })
	for i, p := range tracing {
		if i > 0 {
			l.errorf("Duplicate tracing block", &p.part.Def, "There is one at %s already, and all services share it.", place(tracing[0].part.Def))
		}
		l.decodeExporter(config, p.file, "tracing", p.part, l.kinds.Tracing)
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
