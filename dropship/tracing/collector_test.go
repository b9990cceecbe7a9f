package tracing_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/dropship/tracing"
)

// A collector takes OTLP requests, as an http.Handler or in place of a network.
type collector struct {
	answer func(attempt int, r *http.Request) (*http.Response, error) // nil: 200

	mu       sync.Mutex
	requests []*http.Request
	spans    []*tracepb.Span
	resource map[string]string
}

func (c *collector) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.requests = append(c.requests, r)
	attempt := len(c.requests)
	c.mu.Unlock()
	resp := answer(http.StatusOK)
	if c.answer != nil {
		if resp, err = c.answer(attempt, r); err != nil || resp.StatusCode != http.StatusOK {
			return resp, err
		}
	}
	var data tracepb.TracesData
	if err := proto.Unmarshal(body, &data); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range data.ResourceSpans {
		c.resource = attributes(r.Resource.Attributes)
		for _, s := range r.ScopeSpans {
			c.spans = append(c.spans, s.Spans...)
		}
	}
	return resp, nil
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	resp, err := c.RoundTrip(r)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(resp.StatusCode)
}

func (c *collector) asked() []*http.Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.requests)
}

func answer(code int) *http.Response {
	return &http.Response{StatusCode: code, Status: fmt.Sprintf("%d %s", code, http.StatusText(code)), Header: http.Header{}, Body: http.NoBody}
}

func attributes(list []*commonpb.KeyValue) map[string]string {
	all := make(map[string]string)
	for _, a := range list {
		switch v := a.Value.Value.(type) {
		case *commonpb.AnyValue_StringValue:
			all[a.Key] = v.StringValue
		case *commonpb.AnyValue_IntValue:
			all[a.Key] = fmt.Sprint(v.IntValue)
		case *commonpb.AnyValue_DoubleValue:
			all[a.Key] = fmt.Sprint(v.DoubleValue)
		case *commonpb.AnyValue_BoolValue:
			all[a.Key] = fmt.Sprint(v.BoolValue)
		}
	}
	return all
}

// trees draws the traces that arrived, in the order of their beginnings: a line for each span, by depth, with its time
// in seconds after the beginning of everything, and its error.
func (c *collector) trees(t *testing.T) []string {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	spans := slices.Clone(c.spans)
	slices.SortStableFunc(spans, func(a, b *tracepb.Span) int { return int(int64(a.StartTimeUnixNano) - int64(b.StartTimeUnixNano)) })
	var trees []string
	drawn := 0
	var draw func(s *tracepb.Span, depth int) string
	draw = func(s *tracepb.Span, depth int) string {
		drawn++
		line := fmt.Sprintf("%s%s %d-%d", strings.Repeat("  ", depth), s.Name, seconds(s.StartTimeUnixNano), seconds(s.EndTimeUnixNano))
		if s.Status.GetCode() == tracepb.Status_STATUS_CODE_ERROR {
			line += " !" + s.Status.Message
		}
		line += "\n"
		for _, child := range spans {
			if bytes.Equal(child.ParentSpanId, s.SpanId) {
				if !bytes.Equal(child.TraceId, s.TraceId) {
					t.Errorf("span %q is in another trace than its parent", child.Name)
				}
				if child.StartTimeUnixNano < s.StartTimeUnixNano || child.EndTimeUnixNano > s.EndTimeUnixNano {
					t.Errorf("span %q reaches beyond its parent %q", child.Name, s.Name)
				}
				line += draw(child, depth+1)
			}
		}
		return line
	}
	traces := make(map[string]bool)
	for _, s := range spans {
		if len(s.ParentSpanId) == 0 {
			trees = append(trees, draw(s, 0))
			if id := hex.EncodeToString(s.TraceId); traces[id] {
				t.Errorf("two traces are %s", id)
			} else {
				traces[id] = true
			}
		}
	}
	if drawn != len(spans) {
		t.Errorf("%d of %d spans have no place in a trace", len(spans)-drawn, len(spans))
	}
	return trees
}

// span returns the one of that name.
func (c *collector) span(t *testing.T, name string) *tracepb.Span {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.spans, func(s *tracepb.Span) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("no span %q", name)
	}
	return c.spans[i]
}

// midnight is when tests begin.
var midnight = time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)

func seconds(nano uint64) int64 { return (int64(nano) - midnight.UnixNano()) / int64(time.Second) }

// decode makes an exporter from the inside of a block.
func decode(t *testing.T, block string, log io.Writer) (dropship.Exporter, hcl.Diagnostics) {
	t.Helper()
	f, diags := hclsyntax.ParseConfig([]byte(block), "tracing.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return tracing.OTLP("1.2.3", slog.New(slog.NewTextHandler(log, nil)))(f.Body, nil)
}

func newExporter(t *testing.T, block string, log io.Writer) dropship.Exporter {
	t.Helper()
	e, diags := decode(t, block, log)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return e
}

// export tells a new exporter of events, and returns what a collector has in the end.
func export(t *testing.T, events ...dropship.Event) *collector {
	t.Helper()
	c := new(collector)
	var log bytes.Buffer
	e := newExporter(t, "", &log)
	tracing.Through(e, c)
	for _, event := range events {
		e.Observe(event)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if e.Run(ctx); log.Len() > 0 {
		t.Errorf("got the log %s", log.String())
	}
	return c
}
