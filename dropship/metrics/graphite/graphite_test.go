package graphite_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/dropship/metrics"
	"github.com/dropship/dropship/dropship/metrics/graphite"
	"github.com/dropship/dropship/dropship/metrics/metricstest"
	"github.com/dropship/dropship/test/servers"
)

// decode makes an exporter from the inside of a block.
func decode(t testing.TB, logger *slog.Logger, text string) (dropship.Exporter, hcl.Diagnostics) {
	t.Helper()
	f, diags := hclsyntax.ParseConfig([]byte(text), "metrics.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return graphite.New(logger, metrics.Build{Version: "1.2.3", Commit: "abc"})(f.Body, nil)
}

func newExporter(t testing.TB, logger *slog.Logger, carbon, prefix string) dropship.Exporter {
	t.Helper()
	host, port, err := net.SplitHostPort(carbon)
	if err != nil {
		t.Fatal(err)
	}
	e, diags := decode(t, logger, fmt.Sprintf("host = %q\nport = %s\nprefix = %q\ninterval = \"1s\"\n", host, port, prefix))
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return e
}

// recent is how old a point may be that says how things are now, a few intervals of the test.
const recent = 5 * time.Second

// render returns the newest point of a series that Graphite has had within the last seconds.
func render(t testing.TB, graphiteURL, series string) (float64, bool) {
	t.Helper()
	v := url.Values{"target": {series}, "from": {fmt.Sprintf("-%ds", int(recent.Seconds()))}, "format": {"json"}, "noNullPoints": {"true"}}
	resp, err := http.Get(graphiteURL + "/render?" + v.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer []struct {
		Datapoints [][2]float64 `json:"datapoints"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatalf("%s: %s, %v", series, resp.Status, err)
	}
	if len(answer) == 0 || len(answer[0].Datapoints) == 0 {
		return 0, false
	}
	points := answer[0].Datapoints
	return points[len(points)-1][0], true
}

// series returns the name of a metric for the values of its labels, as the manual says how it is made.
func series(prefix string, metric *metrics.Metric, labels []string) string {
	name := metric.Path
	for i, label := range metric.Labels {
		name = strings.ReplaceAll(name, "{"+label+"}", strings.ReplaceAll(labels[i], ".", "_"))
	}
	return prefix + "." + name
}

func TestSuite(t *testing.T) {
	t.Parallel()
	set := servers.Get(t).Graphite
	metricstest.Run(t, func(t testing.TB) metricstest.Subject {
		prefix := fmt.Sprintf("dropship-test.suite-%d", time.Now().UnixNano())
		e := newExporter(t, slog.New(slog.DiscardHandler), set.Carbon, prefix)
		return metricstest.Subject{Exporter: e, Read: func(t testing.TB, metric *metrics.Metric, labels ...string) (f metricstest.Figure, found bool) {
			t.Helper()
			name := series(prefix, metric, labels)
			if metric.Type == metrics.Summary {
				f.Count, _ = render(t, set.URL, name+".count")
				name += ".sum"
			}
			f.Value, found = render(t, set.URL, name)
			return f, found
		}}
	})
}

func TestBlock(t *testing.T) {
	t.Parallel()
	logger := slog.New(slog.DiscardHandler)
	e, diags := decode(t, logger, `host = "graphite.example.com"`)
	if len(diags) > 0 || e.String() != "metrics graphite to graphite.example.com:2003" {
		t.Errorf("got %v, %v, want one to graphite.example.com:2003", e, diags)
	}
	const host = "host = \"::1\"\n"
	for text, want := range map[string]string{
		`port = 2003`:                  "1 Missing required argument",
		`host = "graphite:2003"`:       "1 Invalid host",
		`host = "http://graphite"`:     "1 Invalid host",
		`host = "me:planted@graphite"`: "1 Credential in the host",
		`host = ""`:                    "1 Invalid host",
		host + `port = 0`:              "2 Number out of range",
		host + `port = 65536`:          "2 Number out of range",
		host + `port = "carbon"`:       "2 Unsuitable value type",
		host + `interval = "0.5s"`:     "2 Invalid interval",
		host + `interval = "soon"`:     "2 Invalid interval",
		host + `prefix = ""`:           "2 Invalid prefix",
		host + `prefix = "a..b"`:       "2 Invalid prefix",
		host + `prefix = "a b"`:        "2 Invalid prefix",
		host + `prefix = "a."`:         "2 Invalid prefix",
		host + `prefx = "a"`:           "2 Unsupported argument",
	} {
		e, diags := decode(t, logger, text)
		if len(diags) != 1 || e != nil {
			t.Errorf("%s: got %v, %v, want one mistake", text, e, diags)
			continue
		}
		if got := fmt.Sprint(diags[0].Subject.Start.Line, " ", diags[0].Summary); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
		if strings.Contains(diags[0].Detail, "planted") {
			t.Errorf("%s shows a password", diags[0].Detail)
		}
	}
}
