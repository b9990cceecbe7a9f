package tracing

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/hooks"
)

// updates makes spans from the events of all services of a machine.
type updates struct {
	tracer trace.Tracer

	mu     sync.Mutex
	checks map[string]check   // by service: the last step "check", from which an update may come
	open   map[string]*update // by service
}

// A check is what is known of a step "check" before it is known whether there is an update.
type check struct {
	begun, ended time.Time
	failure      string
}

func newUpdates(tracer trace.Tracer) *updates {
	return &updates{tracer: tracer, checks: make(map[string]check), open: make(map[string]*update)}
}

// observe takes the next event. Outside of an update there is no span: of what happens there only the step "check" is
// kept, until the update that comes of it begins, or the check has ended. Hooks that run again to put in order what an
// earlier update left belong to no update.
func (us *updates) observe(e dropship.Event) {
	us.mu.Lock()
	defer us.mu.Unlock()
	if u := us.open[e.Service]; u != nil {
		u.observe(e)
		if e.Type == dropship.UpdateEnded {
			delete(us.open, e.Service)
		}
		return
	}
	switch {
	case e.Type == dropship.StepBegun && e.Step == dropship.StepCheck:
		us.checks[e.Service] = check{begun: e.Time}
	case e.Type == dropship.StepEnded && e.Step == dropship.StepCheck:
		us.checks[e.Service] = check{us.checks[e.Service].begun, e.Time, e.Error}
	case e.Type == dropship.Checked:
		delete(us.checks, e.Service)
	case e.Type == dropship.UpdateBegun:
		us.open[e.Service] = us.begin(e, us.checks[e.Service])
		delete(us.checks, e.Service)
	}
}

// begin begins a trace, at the check that the update comes from; zero: at none.
func (us *updates) begin(e dropship.Event, from check) *update {
	name := "update " + e.Service
	if e.Status == hooks.StatusRollback {
		name = "rollback " + e.Service
	}
	u := &update{
		tracer: us.tracer,
		common: []attribute.KeyValue{serviceKey.String(e.Service), updateIDKey.String(e.UpdateID)},
		hash:   e.Hash,
	}
	begun := e.Time
	if !from.begun.IsZero() {
		begun = from.begun
	}
	u.root = u.span(nil, name, begun, described(e)...)
	if !from.begun.IsZero() {
		step := u.span(u.root, string(dropship.StepCheck), from.begun, stepKey.String(string(dropship.StepCheck)))
		end(step, from.ended, from.failure)
	}
	return u
}

// An update is one that is under way.
type update struct {
	tracer trace.Tracer
	common []attribute.KeyValue // of every span
	hash   string               // wanted; empty as long as it is not known

	root, step, hook trace.Span // nil: there is none
	stepBegun        time.Time

	bytes, downloaded int64         // of the step, and of all that have ended
	waited            time.Duration // for a slot
}

func (u *update) observe(e dropship.Event) {
	switch e.Type {
	case dropship.StepBegun:
		u.step, u.stepBegun, u.bytes = u.span(u.root, string(e.Step), e.Time, stepKey.String(string(e.Step))), e.Time, 0
	case dropship.Progress:
		u.bytes = e.Done
	case dropship.Waiting:
		u.wait(e)
	case dropship.HookBegun:
		if u.step != nil {
			u.hook = u.span(u.step, e.Hook.Name, e.Time, hookKey.String(e.Hook.Name), hookIndexKey.Int(e.Hook.Index),
				phaseKey.String(string(e.Hook.Phase)), statusKey.String(string(e.Status)))
		}
	case dropship.HookEnded:
		if u.hook != nil {
			end(u.hook, e.Time, e.Error)
			u.hook = nil
		}
	case dropship.StepEnded:
		u.endStep(e)
	case dropship.UpdateEnded:
		u.end(e)
	}
}

// wait tells of the line for the slot.
func (u *update) wait(e dropship.Event) {
	if u.step == nil {
		return
	}
	u.step.SetAttributes(groupKey.String(e.Group))
	about := []attribute.KeyValue{aheadKey.Int(len(e.Ahead))}
	if len(e.Ahead) > 0 {
		about = append(about, holderKey.String(e.Ahead[0].String()))
	}
	u.step.AddEvent("waiting", trace.WithTimestamp(e.Time), trace.WithAttributes(about...))
}

func (u *update) endStep(e dropship.Event) {
	if u.step == nil {
		return
	}
	switch e.Step {
	case dropship.StepStage:
		u.downloaded += u.bytes
		u.step.SetAttributes(bytesKey.Int64(u.bytes))
	case dropship.StepSlot:
		u.waited += e.Time.Sub(u.stepBegun)
	}
	end(u.step, e.Time, e.Error)
	u.step = nil
}

func (u *update) end(e dropship.Event) {
	if u.hash == "" && e.Outcome == dropship.Updated {
		u.root.SetAttributes(hashKey.String(e.Hash)) // not known before the download
	}
	u.root.SetAttributes(outcomeKey.String(string(e.Outcome)), bytesKey.Int64(u.downloaded), slotWaitKey.Float64(u.waited.Seconds()))
	u.root.SetAttributes(present(installedHashKey.String(e.Hash), failedStepKey.String(string(e.Step)))...)
	end(u.root, e.Time, e.Error)
}

// span begins a span below parent; nil: the root of a trace.
func (u *update) span(parent trace.Span, name string, at time.Time, about ...attribute.KeyValue) trace.Span {
	ctx := context.Background()
	if parent != nil {
		ctx = trace.ContextWithSpan(ctx, parent)
	}
	_, s := u.tracer.Start(ctx, name, trace.WithTimestamp(at), trace.WithAttributes(u.common...), trace.WithAttributes(about...))
	return s
}

// end ends a span, with the text of what failed.
func end(s trace.Span, at time.Time, failure string) {
	if failure != "" {
		s.SetStatus(codes.Error, failure)
	}
	s.End(trace.WithTimestamp(at))
}
