package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// A collector is an OTLP receiver.
type collector struct {
	*httptest.Server
	t *testing.T

	mu       sync.Mutex
	spans    []*tracepb.Span
	resource map[string]string
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := &collector{t: t}
	c.Server = httptest.NewServer(http.HandlerFunc(c.take))
	t.Cleanup(c.Close)
	return c
}

func (c *collector) take(_ http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var data tracepb.TracesData // on the wire the same as a request
	if err == nil {
		err = proto.Unmarshal(body, &data)
	}
	if err != nil || r.Method != http.MethodPost || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" ||
		r.Header.Get("Authorization") != "Bearer t0ken" {
		c.t.Errorf("request %s %s, %v: %v", r.Method, r.URL, r.Header, err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range data.ResourceSpans {
		c.resource = attributes(r.Resource.Attributes)
		for _, s := range r.ScopeSpans {
			c.spans = append(c.spans, s.Spans...)
		}
	}
}

func attributes(list []*commonpb.KeyValue) map[string]string {
	all := make(map[string]string)
	for _, a := range list {
		all[a.Key] = a.Value.GetStringValue()
	}
	return all
}

// roots returns the spans that begin a trace, in the order of their beginnings.
func (c *collector) roots() []*tracepb.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.SortStableFunc(c.spans, func(a, b *tracepb.Span) int { return int(int64(a.StartTimeUnixNano) - int64(b.StartTimeUnixNano)) })
	var roots []*tracepb.Span
	for _, s := range c.spans {
		if len(s.ParentSpanId) == 0 {
			roots = append(roots, s)
		}
	}
	return roots
}

// forget drops the spans of the trace that has no root, and returns them.
func (c *collector) forget() (orphans []*tracepb.Span) {
	roots := c.roots()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spans = slices.DeleteFunc(c.spans, func(s *tracepb.Span) bool {
		if slices.ContainsFunc(roots, func(r *tracepb.Span) bool { return bytes.Equal(r.TraceId, s.TraceId) }) {
			return false
		}
		orphans = append(orphans, s)
		return true
	})
	return orphans
}

// draw returns the names in the tree below a span, and checks that all of it is in one trace, in the time of its parent,
// and of the same update.
func (c *collector) draw(s *tracepb.Span) string {
	c.t.Helper()
	var below []string
	last := s.StartTimeUnixNano
	for _, child := range c.spans {
		if !bytes.Equal(child.ParentSpanId, s.SpanId) {
			continue
		}
		if child.StartTimeUnixNano < last || child.EndTimeUnixNano > s.EndTimeUnixNano || child.EndTimeUnixNano < child.StartTimeUnixNano {
			c.t.Errorf("span %q is not within %q, after the one before it", child.Name, s.Name)
		}
		last = child.EndTimeUnixNano
		if got, want := attributes(child.Attributes)["dropship.update_id"], attributes(s.Attributes)["dropship.update_id"]; got != want || !bytes.Equal(child.TraceId, s.TraceId) {
			c.t.Errorf("span %q is of update %s, trace %x, its parent %q of %s, %x", child.Name, got, child.TraceId, s.Name, want, s.TraceId)
		}
		below = append(below, c.draw(child))
	}
	name := s.Name
	if attributes(s.Attributes)["dropship.phase"] != "" {
		name = "hook"
	}
	if s.Status.GetCode() == tracepb.Status_STATUS_CODE_ERROR {
		name += "!"
	}
	if below == nil {
		return name
	}
	return name + "(" + strings.Join(below, " ") + ")"
}

// traced is a service that takes turns, whose hooks write down the ID of their update.
func traced(artifacts, endpoint, more string) string {
	return web(artifacts, more+`
  sequentialUpdates = true
  updateTTL         = "50ms"
  after "script" { command = "echo $DROPSHIP_UPDATE_ID $DROPSHIP_STATUS >>../ids" }`) + fmt.Sprintf(`
lock "file" { path = %q }
tracing "otlp" {
  endpoint = %q
  headers  = { Authorization = "Bearer t0ken" }
}
`, filepath.Join(artifacts, "lock"), endpoint)
}

// often has spans sent ten times a second.
var often = []string{"OTEL_BSP_SCHEDULE_DELAY=100"}

// An update, one that is rolled back, and one that a process that was killed left behind: each is one trace, with a span
// for each step and hook, and the ID that hooks and the log have.
func TestTraces(t *testing.T) {
	t.Parallel()
	artifacts, c := t.TempDir(), newCollector(t)
	publish(t, artifacts, version(t, "1"))
	d := newDaemon(t, nil)
	d.env = often
	d.write("dropship.hcl", traced(artifacts, c.URL, fmt.Sprintf(`
  after "script" { command = "[ $(cat VERSION) != 2 ]" }
  before "script" { command = "cd %s; [ ! -e hang ] || { echo $DROPSHIP_UPDATE_ID >hanging; echo $$ >pid; exec sleep 3600; }" }`, d.dir)))
	t.Cleanup(func() { killPid(t, d) }) // a hook outlives an agent that is killed
	arrive := func(n int) {
		t.Helper()
		waitFor(t, limit, fmt.Sprintf("%d traces", n), func() bool { return len(c.roots()) >= n })
	}
	d.start()
	arrive(1)
	publish(t, artifacts, version(t, "2"))
	arrive(2)
	d.write("hang", "")
	publish(t, artifacts, version(t, "3"))
	waitFor(t, limit, "the hook to begin", func() bool { return d.read("hanging") != "" && d.read("pid") != "" })
	d.kill()
	if err := os.Remove(filepath.Join(d.dir, "hang")); err != nil {
		t.Fatal(err)
	}
	killed := c.forget() // of the update that has no end
	d.start()
	arrive(4)
	if code := d.stop(terminate); code != 0 {
		t.Errorf("exit code: got %d, want 0", code)
	}

	var ids, trees []string
	for _, root := range c.roots() {
		about := attributes(root.Attributes)
		ids = append(ids, about["dropship.update_id"])
		trees = append(trees, about["dropship.outcome"]+": "+c.draw(root))
		if !strings.Contains(d.log.String(), "update_id="+about["dropship.update_id"]) {
			t.Errorf("update %s is not in the log", about["dropship.update_id"])
		}
	}
	want := []string{
		"updated: update web(check stage slot check before(hook) switch after(hook hook hook) settle hold)",
		"rolled back: update web!(check stage slot check before(hook) switch after!(hook hook!) before(hook) switch after(hook hook hook) settle)",
		"recovered: update web!(after(hook hook hook))",
		"updated: update web(check stage slot check before(hook) switch after(hook hook hook) settle hold)",
	}
	if diff := cmp.Diff(want, trees); diff != "" {
		t.Fatalf("traces (-want +got):\n%s", diff)
	}
	// The third hook is not reached where the second fails.
	environment := strings.Fields(d.read("ids"))
	if diff := cmp.Diff([]string{ids[0], "update", ids[1], "rollback", ids[2], "failed", ids[3], "update"}, environment); diff != "" {
		t.Errorf("IDs in the environment of hooks (-traces +hooks):\n%s", diff)
	}
	if got := strings.TrimSpace(d.read("hanging")); got != ids[2] {
		t.Errorf("the hook that was killed was of update %s, the trace of its recovery is of %s", got, ids[2])
	}
	for _, s := range killed {
		if got := attributes(s.Attributes)["dropship.update_id"]; got != ids[2] || len(s.ParentSpanId) == 0 {
			t.Errorf("span %q of update %s was sent before the kill", s.Name, got)
		}
	}
	if c.resource["service.name"] != "dropship" || c.resource["host.name"] == "" || c.resource["service.version"] == "" {
		t.Errorf("resource: %v", c.resource)
	}
}

// Nobody waits for a collector that takes requests and never answers.
func TestCollectorThatHangs(t *testing.T) {
	t.Parallel()
	asked, release := make(chan struct{}, 1000), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked <- struct{}{}
		<-release
	}))
	defer server.Close()
	defer close(release)
	artifacts := t.TempDir()
	publish(t, artifacts, version(t, "1"))
	d := newDaemon(t, map[string]string{"dropship.hcl": traced(artifacts, server.URL, "")})
	d.env = often
	d.start()
	select {
	case <-asked:
	case <-time.After(limit):
		t.Fatal("the collector was not asked")
	}
	d.waitFile("ran", "update 1")
	publish(t, artifacts, version(t, "2"))
	d.waitFile("ran", "update 1\nupdate 2")
	began := time.Now()
	if code := d.stop(terminate); code != 0 {
		t.Errorf("exit code: got %d, want 0", code)
	}
	if took := time.Since(began); took > limit {
		t.Errorf("the agent took %s to stop", took)
	}
	if log := d.log.String(); !strings.Contains(log, "cannot send traces") || strings.Contains(log, "t0ken") {
		t.Errorf("the log does not say that traces are lost, or has a credential:\n%s", log)
	}
}
