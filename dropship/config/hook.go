package config

import (
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/dropship/dropship/hooks"
)

func (l *loader) chain(f *file, s *scope, blocks []hookBlock) hooks.Chain {
	var chain hooks.Chain
	for _, b := range blocks {
		kind, ok := l.kinds.Hooks[b.Kind]
		if !ok {
			l.unknown("Unknown hook", b.Label, "hook", b.Kind, slices.Collect(maps.Keys(l.kinds.Hooks)))
		}
		step := hooks.Step{
			Timeout: s.fields.duration(b.Timeout, 0, 0),
			OnError: hooks.OnError(s.fields.choice(b.OnError, string(kind.OnError), string(hooks.Abort), string(hooks.Continue))),
			When:    hooks.When(s.fields.choice(b.When, string(kind.When), string(hooks.Always), string(hooks.Success), string(hooks.Failure))),
		}
		if !ok {
			continue
		}
		hook, diags := kind.New(b.Rest, s.ectx)
		l.fromKind(f, b.Kind, diags, "timeout", "onError", "when")
		if diags.HasErrors() {
			continue
		}
		step.Hook = hook
		if step.Timeout == 0 {
			step.Timeout = defaultTimeout(hook, kind)
		}
		chain = append(chain, step)
	}
	return chain
}

func defaultTimeout(hook hooks.Hook, kind hooks.Kind) time.Duration {
	if t, ok := hook.(hooks.Timeouter); ok {
		return t.DefaultTimeout()
	}
	return kind.Timeout
}

// scriptHook is the kind that preCommand and postCommand stand for.
const scriptHook = "script"

// command makes the script hook that a deprecated preCommand or postCommand stands for.
func (l *loader) command(s *scope, attr *hcl.Attribute, phase string) hooks.Chain {
	if attr == nil {
		return nil
	}
	l.diags = append(l.diags, warning("Deprecated argument", &attr.NameRange,
		"%s still works. Write a hook instead:\n%s \"script\" {\n  command = …\n}", attr.Name, phase))
	kind, ok := l.kinds.Hooks[scriptHook]
	if !ok {
		return nil
	}
	if s.fields.text(attr, "") == "" {
		return nil
	}
	expr, ok := attr.Expr.(hclsyntax.Expression)
	if !ok {
		return nil
	}
	body := &hclsyntax.Body{
		Attributes: hclsyntax.Attributes{"command": {
			Name: "command", Expr: expr, SrcRange: attr.Range, NameRange: attr.NameRange,
		}},
		SrcRange: attr.Range,
		EndRange: attr.Range,
	}
	hook, diags := kind.New(body, s.ectx)
	l.diags = append(l.diags, diags...)
	if diags.HasErrors() {
		return nil
	}
	return hooks.Chain{{Hook: hook, Timeout: defaultTimeout(hook, kind), OnError: kind.OnError, When: kind.When}}
}
