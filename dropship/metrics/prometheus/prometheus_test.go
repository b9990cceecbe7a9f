package prometheus_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/dropship/metrics"
	"github.com/dropship/dropship/dropship/metrics/metricstest"
	"github.com/dropship/dropship/dropship/metrics/prometheus"
	"github.com/dropship/dropship/test/servers"
)

var build = metrics.Build{Version: "1.2.3", Commit: "abc"}

// decode makes an exporter from the inside of a block.
func decode(t testing.TB, text string) (dropship.Exporter, hcl.Diagnostics) {
	t.Helper()
	f, diags := hclsyntax.ParseConfig([]byte(text), "metrics.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return prometheus.New(slog.New(slog.DiscardHandler), build)(f.Body, nil)
}

func newExporter(t testing.TB, listen string) dropship.Exporter {
	t.Helper()
	e, diags := decode(t, fmt.Sprintf("listen = %q\n", listen))
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return e
}

// scrape returns the type and the text of an answer; nothing while nobody listens.
func scrape(t testing.TB, listen, accept string) (contentType, text string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, "http://"+listen+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", accept)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("got %s, %v, want 200:\n%s", resp.Status, err, body)
	}
	return resp.Header.Get("Content-Type"), string(body)
}

func TestSuite(t *testing.T) {
	t.Parallel()
	metricstest.Run(t, func(t testing.TB) metricstest.Subject {
		listen := servers.Reserve(t)
		return metricstest.Subject{Exporter: newExporter(t, listen), Read: func(t testing.TB, metric *metrics.Metric, labels ...string) (metricstest.Figure, bool) {
			t.Helper()
			_, text := scrape(t, listen, "text/plain")
			lint(t, text)
			parser := expfmt.NewTextParser(model.LegacyValidation)
			families, err := parser.TextToMetricFamilies(strings.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range families[metric.Name].GetMetric() {
				if has(m, metric.Labels, labels) {
					return metricstest.Figure{
						Value: m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetSummary().GetSampleSum(),
						Count: float64(m.GetSummary().GetSampleCount()),
					}, true
				}
			}
			return metricstest.Figure{}, false
		}}
	})
}

// lint is what promtool check metrics does.
func lint(t testing.TB, text string) {
	t.Helper()
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("got %v, %v, want nothing that offends Prometheus' conventions, in\n%s", problems, err, text)
	}
}

func has(m *dto.Metric, names, values []string) bool {
	got := make(map[string]string)
	for _, l := range m.GetLabel() {
		got[l.GetName()] = l.GetValue()
	}
	for i, name := range names {
		if got[name] != values[i] {
			return false
		}
	}
	return len(got) == len(names)
}

// running runs an exporter with an agent that saw an update, until the test ends, and returns where it listens.
func running(t *testing.T) string {
	t.Helper()
	listen := servers.Reserve(t)
	e := newExporter(t, listen)
	m := dropship.NewMachine("web-01", dropship.NewStore(t.TempDir()), slog.New(slog.DiscardHandler))
	m.Observe(e)
	ctx, stop := context.WithCancel(t.Context())
	if err := e.Open(ctx, dropship.NewAgent(m)); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		e.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	return listen
}

// answer waits for the exporter to listen.
func answer(t *testing.T, listen, accept string) (contentType, text string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		if contentType, text = scrape(t, listen, accept); text != "" {
			return contentType, text
		}
		if time.Now().After(deadline) {
			t.Fatal("nobody listens")
		}
	}
}

func TestFormats(t *testing.T) {
	t.Parallel()
	listen := running(t)
	for accept, want := range map[string]string{
		"":                             "text/plain; version=0.0.4",
		"application/openmetrics-text": "application/openmetrics-text; version=",
	} {
		contentType, text := answer(t, listen, accept)
		if !strings.HasPrefix(contentType, want) || !strings.Contains(text, `dropship_build_info{commit="abc",goversion="`) {
			t.Errorf("accepting %q: got %s, want %s, in\n%s", accept, contentType, want, text)
		}
		if accept != "" && !strings.HasSuffix(text, "# EOF\n") {
			t.Errorf("OpenMetrics without its end:\n%s", text)
		}
		if accept == "" {
			lint(t, text)
		}
		for _, metric := range []string{"process_resident_memory_bytes", "process_open_fds", "go_goroutines", "go_memstats_heap_inuse_bytes"} {
			if !strings.Contains(text, "\n"+metric+" ") {
				t.Errorf("accepting %q: %s is missing", accept, metric)
			}
		}
	}
	resp, err := http.Get("http://" + listen + "/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("got %s beside /metrics, want 404", resp.Status)
	}
}

func TestAddressInUse(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	listen := l.Addr().String()
	err = newExporter(t, listen).Open(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "cannot listen for Prometheus at "+listen+": ") || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("got %v, want an error that says what is in use", err)
	}
}

func TestBlock(t *testing.T) {
	t.Parallel()
	e, diags := decode(t, "")
	if len(diags) > 0 || e.String() != "metrics prometheus at 127.0.0.1:10747" {
		t.Errorf("got %v, %v, want one at 127.0.0.1:10747", e, diags)
	}
	for _, listen := range []string{":10747", "[::1]:10747", "web-01.example.com:10747"} {
		if _, diags := decode(t, fmt.Sprintf("listen = %q", listen)); diags.HasErrors() {
			t.Errorf("%s: %v", listen, diags)
		}
	}
	for text, want := range map[string]string{
		`listen = "10747"`:            "Invalid listen",
		`listen = "127.0.0.1"`:        "Invalid listen",
		`listen = "127.0.0.1:0"`:      "Invalid listen",
		`listen = "127.0.0.1:http"`:   "Invalid listen",
		`listen = "127.0.0.1:65536"`:  "Invalid listen",
		`listen = "http://host:80"`:   "Invalid listen",
		`listen = ""`:                 "Invalid listen",
		`listen = ["127.0.0.1:9100"]`: "Unsuitable value type",
		`lisen = "127.0.0.1:9100"`:    "Unsupported argument",
	} {
		e, diags := decode(t, text)
		if len(diags) != 1 || diags[0].Summary != want || diags[0].Subject.Start.Line != 1 || e != nil {
			t.Errorf("%s: got %v, %v, want one mistake: %s", text, e, diags, want)
		}
	}
}
