// Package metricstest is the suite that every exporter of metrics runs: a real agent installs, rolls back, is paused and
// reloaded, and who reads the exporter's figures finds all of it.
package metricstest

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/file"
	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/dropship/config"
	"github.com/dropship/dropship/dropship/metrics"
	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/script"
)

// deadline is what a figure has to come out at the other end.
const deadline = 30 * time.Second

// endLimit is how long Run may take after its context has ended: "a few seconds at the most".
const endLimit = 10 * time.Second

// A Figure is the value of a sample where it arrived. Of a summary it is the sum.
type Figure struct{ Value, Count float64 }

// A Subject is an exporter under test.
type Subject struct {
	Exporter dropship.Exporter
	// Read returns the figure for a metric and the values of its labels as whoever the exporter tells has it by now, and
	// false where there is none.
	Read func(t testing.TB, metric *metrics.Metric, labels ...string) (Figure, bool)
}

// Run runs the suite. newSubject is called for each test.
func Run(t *testing.T, newSubject func(testing.TB) Subject) {
	t.Run("Figures", func(t *testing.T) {
		t.Parallel()
		testFigures(t, newSubject(t))
	})
	t.Run("RemovedService", func(t *testing.T) {
		t.Parallel()
		testRemovedService(t, newSubject(t))
	})
	t.Run("End", func(t *testing.T) {
		t.Parallel()
		testEnd(t, newSubject(t))
	})
}

func testFigures(t *testing.T, s Subject) {
	a := newAgent(t, s)
	first := a.publish("first")
	a.start("web")
	a.want(metrics.Updates, 1, "web", "update", "updated")
	a.want(metrics.Checks, 1, "web", "outdated")
	a.want(metrics.Downloaded, float64(len("first")), "web")
	a.want(metrics.UpToDate, 1, "web")
	a.want(metrics.Quarantined, 0, "web")
	a.want(metrics.Failed, 0, "web")
	a.want(metrics.Paused, 0, "web")
	a.want(metrics.Updating, 0, "web")
	a.want(metrics.SlotWait, 0, "web")
	a.want(metrics.HookFailures, 0, "web", "after", "0", "script")
	a.want(metrics.ReloadOK, 1)
	a.wantHash(first)
	a.wantCount(metrics.Steps, 1, "web", "stage")
	a.wantCount(metrics.Steps, 0, "web", "rollback")
	a.wantCount(metrics.Hooks, 1, "web", "after", "0", "script")
	for _, recent := range []*metrics.Metric{metrics.InstalledTime, metrics.LastCheck, metrics.LastSuccess} {
		a.wantFigure(recent, "now", func(f Figure) bool { return time.Since(time.Unix(int64(f.Value), 0)).Abs() < time.Hour }, "web")
	}

	a.publish("bad")
	a.want(metrics.Updates, 1, "web", "update", "rolled_back")
	a.want(metrics.Updates, 1, "web", "update", "updated")
	a.want(metrics.Quarantined, 1, "web")
	a.want(metrics.UpToDate, 0, "web")
	a.want(metrics.ReasonInfo, 1, "web", string(dropship.ReasonQuarantined))
	a.want(metrics.HookFailures, 1, "web", "after", "0", "script")
	a.want(metrics.Downloaded, float64(len("first")+len("bad")), "web")
	a.wantHash(first)
	a.wantCount(metrics.Steps, 2, "web", "stage")

	if _, err := a.Pause("web", dropship.Pause{By: "tester@here"}); err != nil {
		t.Fatal(err)
	}
	a.want(metrics.Paused, 1, "web")
	a.publish("third")
	a.wantFigure(metrics.Checks, "more than 0", func(f Figure) bool { return f.Value > 0 }, "web", "paused")
	a.want(metrics.ReasonInfo, 1, "web", string(dropship.ReasonPaused))
	if _, err := a.Resume("web", "tester@here"); err != nil {
		t.Fatal(err)
	}
	a.want(metrics.Updates, 2, "web", "update", "updated")
	a.want(metrics.Paused, 0, "web")

	a.Reject(&dropship.Rejected{At: time.Now(), Error: "no"})
	a.want(metrics.Reloads, 1, "failure")
	a.want(metrics.ReloadOK, 0)
	a.Reject(nil)
	a.want(metrics.Reloads, 1, "success")
	a.want(metrics.ReloadOK, 1)
}

// A service that is configured no more leaves nothing behind.
func testRemovedService(t *testing.T, s Subject) {
	a := newAgent(t, s)
	a.publish("first")
	a.start("web", "shop")
	a.want(metrics.Updates, 1, "web", "update", "updated")
	a.want(metrics.Updates, 1, "shop", "update", "updated")
	a.Reload(a.services("shop"))
	for _, metric := range metrics.All {
		if len(metric.Labels) == 1 && metric.Labels[0] == "service" {
			a.wantGone(metric, "web")
		}
	}
	a.wantGone(metrics.Updates, "web", "update", "updated")
	a.want(metrics.Updates, 1, "shop", "update", "updated")
}

// An agent that ends does not wait for its exporters, and may still tell them something.
func testEnd(t *testing.T, s Subject) {
	a := newAgent(t, s)
	a.start("web")
	a.wantFigure(metrics.Checks, "more than 0", func(f Figure) bool { return f.Value > 0 }, "web", "failed") // there is no artifact
	begun := time.Now()
	a.end()
	if took := time.Since(begun); took > endLimit {
		t.Errorf("Run ended after %s, want at most %s", took, endLimit)
	}
	s.Exporter.Observe(dropship.Event{Type: dropship.Checked, Service: "web", Outcome: dropship.UpToDate})
}

// An agent is one whose exporter is under test.
type agent struct {
	*dropship.Agent
	t       *testing.T
	subject Subject
	dir     string
	end     context.CancelFunc // of the exporter, and waits for it
}

func newAgent(t *testing.T, s Subject) *agent {
	t.Helper()
	a := &agent{t: t, subject: s, dir: t.TempDir()}
	m := dropship.NewMachine("web-01", dropship.NewStore(filepath.Join(a.dir, "state")), slog.New(slog.DiscardHandler))
	m.Observe(s.Exporter)
	a.Agent = dropship.NewAgent(m)
	return a
}

// start runs the exporter and keeps services up to date until the test ends.
func (a *agent) start(services ...string) {
	a.t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(a.t.Context()))
	exporting, stopExporter := context.WithCancel(context.WithoutCancel(a.t.Context()))
	if err := a.subject.Exporter.Open(exporting, a.Agent); err != nil {
		a.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		a.subject.Exporter.Run(exporting)
	}()
	a.end = func() {
		stopExporter()
		<-ended
	}
	a.t.Cleanup(func() {
		stop()
		a.Wait()
		stopExporter()
	})
	a.Start(ctx, a.services(services...))
}

// publish puts an artifact into the repository, and returns its md5.
func (a *agent) publish(content string) string {
	a.t.Helper()
	path := filepath.Join(a.dir, "artifact")
	if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
		a.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		a.t.Fatal(err)
	}
	return md5sum(content)
}

// services are all installed from the same artifact, and bad ones fail a hook.
func (a *agent) services(names ...string) []*dropship.Service {
	a.t.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "repo \"file\" {\n  root = %q\n}\n", a.dir)
	for _, name := range names {
		fmt.Fprintf(&text, `
service %q {
  checkInterval = "100ms"
  artifact "file" {
    path        = "artifact"
    type        = "file"
    destination = %q
  }
  after "script" {
    command = "! grep -q bad %[2]s"
  }
}
`, name, filepath.Join(a.dir, name))
	}
	path := filepath.Join(a.dir, "dropship.hcl")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		a.t.Fatal(err)
	}
	cfg, diags := config.Load(path, config.Kinds{
		Repositories: map[string]func(hcl.Body, *hcl.EvalContext) (artifact.Repository, hcl.Diagnostics){"file": file.New},
		Hooks:        map[string]hooks.Kind{"script": script.Kind(slog.New(slog.DiscardHandler))},
	})
	if diags.HasErrors() {
		a.t.Fatal(diags.Errors())
	}
	return cfg.Services
}
