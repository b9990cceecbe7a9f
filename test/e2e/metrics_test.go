package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/dropship/dropship/test/servers"
)

// A prometheus scrapes an agent, and asks Prometheus' own engine for what it makes of the example's alerts and dashboard.
type prometheus struct {
	t       *testing.T
	address string
	program string
	scrapes bytes.Buffer
	last    string // what was scraped last
}

func newPrometheus(t *testing.T) *prometheus {
	t.Helper()
	p := &prometheus{t: t, address: servers.Reserve(t), program: filepath.Join(t.TempDir(), "prometheus")}
	build := exec.Command("go", "build", "-buildvcs=false", "-o", p.program, ".")
	build.Dir = "../prometheus"
	if text, err := build.CombinedOutput(); err != nil {
		t.Fatalf("cannot build test/prometheus: %v\n%s", err, text)
	}
	return p
}

// block is what the agent's configuration needs.
func (p *prometheus) block() string {
	return fmt.Sprintf("metrics \"prometheus\" {\n  listen = %q\n}\n", p.address)
}

// scrape keeps what the agent says now, and returns the values of its series, as Prometheus writes their names.
func (p *prometheus) scrape() map[string]float64 {
	p.t.Helper()
	resp, err := http.Get("http://" + p.address + "/metrics")
	if err != nil {
		return nil // not listening yet
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		p.t.Fatalf("scrape: got %s, %v, want 200", resp.Status, err)
	}
	if problems, err := promlint.New(bytes.NewReader(text)).Lint(); err != nil || len(problems) > 0 {
		p.t.Errorf("promtool check metrics would say %v, %v", problems, err)
	}
	p.keep(string(text))
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		p.t.Fatal(err)
	}
	samples, err := expfmt.ExtractSamples(&expfmt.DecodeOptions{}, slices.Collect(maps.Values(families))...)
	if err != nil {
		p.t.Fatal(err)
	}
	values := make(map[string]float64)
	for _, s := range samples {
		values[s.Metric.String()] = float64(s.Value)
	}
	return values
}

// keep stores what was scraped now.
func (p *prometheus) keep(text string) {
	p.t.Helper()
	p.last = text
	if err := json.NewEncoder(&p.scrapes).Encode(map[string]any{"time": time.Now().UnixMilli(), "text": text}); err != nil {
		p.t.Fatal(err)
	}
}

// changed returns one that scraped the same but for a line, last.
func (p *prometheus) changed(line, by string) *prometheus {
	p.t.Helper()
	if !strings.Contains(p.last, line) {
		p.t.Fatalf("no %s in\n%s", line, p.last)
	}
	c := &prometheus{t: p.t, program: p.program}
	c.scrapes.Write(p.scrapes.Bytes())
	c.keep(strings.ReplaceAll(p.last, line, by))
	return c
}

// wait scrapes until a series has a value.
func (p *prometheus) wait(series string, want float64) {
	p.t.Helper()
	var got map[string]float64
	waitFor(p.t, limit, fmt.Sprintf("%s to be %v", series, want), func() bool {
		got = p.scrape()
		value, found := got[series]
		return found && value == want
	})
}

// An opinion is what the alerts and the dashboard make of the scrapes.
type opinion struct {
	Alerts map[string][]string `json:"alerts"` // for which services each holds
	Panels map[string]int      `json:"panels"` // how many series each draws
}

// holding returns the alerts that hold, with their services, and the panels that are empty.
func (p *prometheus) holding() (alerts, empty []string) {
	p.t.Helper()
	cmd := exec.Command(p.program, "../../examples/prometheus/alerts.yml", "../../examples/prometheus/dashboard.json")
	cmd.Stdin = bytes.NewReader(p.scrapes.Bytes())
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		p.t.Fatalf("%v: %s", err, stderr.String())
	}
	var o opinion
	if err := json.Unmarshal(out, &o); err != nil {
		p.t.Fatal(err)
	}
	if len(o.Alerts) < 5 || len(o.Panels) < 10 {
		p.t.Fatalf("got %s: the example has more than that", out)
	}
	for alert, services := range o.Alerts {
		for _, service := range services {
			alerts = append(alerts, strings.TrimSpace(alert+" "+service))
		}
	}
	for panel, series := range o.Panels {
		if series == 0 {
			empty = append(empty, panel)
		}
	}
	slices.Sort(alerts)
	slices.Sort(empty)
	return alerts, empty
}

// A real agent is scraped through an update, a rollback, a pause and a rejected reload; the example's alerts tell of each,
// and its dashboard draws something in every panel.
func TestPrometheusSeesWhatAnAgentDoes(t *testing.T) {
	t.Parallel()
	p := newPrometheus(t)
	artifacts := t.TempDir()
	configuration := web(artifacts, `after "script" { command = "! grep -q bad VERSION" }`) + p.block()
	d := newDaemon(t, map[string]string{"dropship.hcl": configuration})
	good := version(t, "1")
	publish(t, artifacts, good)
	d.start()
	p.wait(`dropship_updates_total{result="updated", service="web", status="update"}`, 1)
	p.wait(fmt.Sprintf(`dropship_installed_info{hash=%q, service="web"}`, md5Hex(good)), 1)
	p.wait(`dropship_up_to_date{service="web"}`, 1)
	if alerts, _ := p.holding(); len(alerts) > 0 {
		t.Errorf("got the alerts %q of an agent that is fine, want none", alerts)
	}

	// What would take long to bring about.
	info := fmt.Sprintf(`dropship_installed_info{hash=%q,service="web"} 1`, md5Hex(good))
	for _, c := range []struct{ line, by, want string }{
		{`dropship_failed{service="web"} 0`, `dropship_failed{service="web"} 1`, "DropshipUpdateFailed web"},
		{`dropship_up_to_date{service="web"} 1`, `dropship_up_to_date{service="web"} 0`, "DropshipCannotUpdate web"},
		{`dropship_slot_wait_seconds{service="web"} 0`, `dropship_slot_wait_seconds{service="web"} 4000`, "DropshipWaitsForSlot web"},
		// 1.79e+09 seconds become 0.79e+09, decades ago.
		{`dropship_last_check_timestamp_seconds{service="web"} 1`, `dropship_last_check_timestamp_seconds{service="web"} 0`, "DropshipNotChecked web"},
		{info, info + "\n" + strings.Replace(info, md5Hex(good), "another", 1), "DropshipReleasesDiffer web"},
	} {
		if alerts, _ := p.changed(c.line, c.by).holding(); !slices.Equal(alerts, []string{c.want}) {
			t.Errorf("%s: got the alerts %q, want %q", c.by, alerts, c.want)
		}
	}

	bad := version(t, "bad")
	publish(t, artifacts, bad)
	p.wait(`dropship_updates_total{result="rolled_back", service="web", status="update"}`, 1)
	p.wait(`dropship_quarantined{service="web"}`, 1)
	p.wait(`dropship_download_bytes_total{service="web"}`, float64(len(good)+len(bad)))
	p.wait(`dropship_hook_failures_total{hook="script", index="1", phase="after", service="web"}`, 1)
	p.wait(`dropship_step_duration_seconds_count{service="web", step="stage"}`, 2)
	p.wait(`dropship_reason_info{reason="quarantined", service="web"}`, 1)
	alerts, _ := p.holding()
	if diff := cmp.Diff([]string{"DropshipQuarantined web", "DropshipRolledBack web"}, alerts); diff != "" {
		t.Errorf("alerts after a rollback (-want +got):\n%s", diff)
	}

	if _, stderr, code := d.run("pause", "web", "--reason", "a look at it"); code != 0 {
		t.Fatalf("pause: exit code %d: %s", code, stderr)
	}
	p.wait(`dropship_paused{service="web"}`, 1)
	d.write("dropship.hcl", configuration+"nonsense")
	d.signal(hangup)
	p.wait(`dropship_config_reloads_total{result="failure"}`, 1)
	p.wait(`dropship_config_last_reload_successful`, 0)
	alerts, empty := p.holding()
	if diff := cmp.Diff([]string{
		"DropshipConfigurationRejected", "DropshipPausedForLong web", "DropshipQuarantined web", "DropshipRolledBack web",
	}, alerts); diff != "" {
		t.Errorf("alerts of a paused service and a rejected configuration (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"Waiting for a turn"}, empty); diff != "" {
		t.Errorf("panels without a series (-want +got):\n%s", diff)
	}

	d.write("dropship.hcl", strings.ReplaceAll(configuration, p.block(), ""))
	d.signal(hangup)
	d.waitLog(`error: metrics "prometheus" cannot change while the agent runs`, 1)
	if code := d.stop(terminate); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}

// Figures that nobody could get are no reason to go on: the address is in use, and the agent says so, and ends.
func TestAgentDoesNotStartWithoutItsMetrics(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	listen := l.Addr().String()
	d := newDaemon(t, map[string]string{"dropship.hcl": web(t.TempDir(), "") + fmt.Sprintf("metrics \"prometheus\" {\n  listen = %q\n}\n", listen)})
	d.start()
	<-d.done
	want := fmt.Sprintf("cannot start the agent: metrics prometheus at %[1]s: cannot listen for Prometheus at %[1]s: listen tcp %[1]s: bind: address already in use", listen)
	if log := d.log.String(); d.cmd.ProcessState.ExitCode() != 1 || !strings.Contains(log, want) {
		t.Errorf("got exit code %d and %s, want 1 and %s", d.cmd.ProcessState.ExitCode(), log, want)
	}
}
