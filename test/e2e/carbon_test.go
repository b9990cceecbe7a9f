package e2e

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dropship/dropship/test/servers"
)

// points returns what the real Graphite has of a target over the last minutes: for each series its values, oldest first.
func points(t *testing.T, graphite, target string) map[string][]float64 {
	t.Helper()
	v := url.Values{"target": {target}, "from": {"-10min"}, "format": {"json"}}
	var series []struct {
		Target     string        `json:"target"`
		Datapoints [][2]*float64 `json:"datapoints"`
	}
	getJSON(t, graphite+"/render?"+v.Encode(), &series)
	all := make(map[string][]float64)
	for _, s := range series {
		for _, p := range s.Datapoints {
			if p[0] != nil {
				all[s.Target] = append(all[s.Target], *p[0])
			}
		}
	}
	return all
}

// Carbon ends, comes back, and hangs while an agent updates: the agent does not mind, and no update is missing from the
// series. Every panel of the example's dashboard draws them.
func TestMetricsOutliveCarbon(t *testing.T) {
	t.Parallel()
	g := servers.NewGraphite(t)
	host, port, err := net.SplitHostPort(g.Carbon)
	if err != nil {
		t.Fatal(err)
	}
	artifacts := t.TempDir()
	d := newDaemon(t, map[string]string{"dropship.hcl": web(artifacts, "") + fmt.Sprintf(`
metrics "graphite" {
  host     = %q
  port     = %s
  prefix   = "dropship.web-01"
  interval = "1s"
}
`, host, port)})
	const updates = "dropship.web-01.services.web.updates.update.updated"
	wait := func(n float64) {
		t.Helper()
		waitFor(t, limit, fmt.Sprintf("%s to be %v", updates, n), func() bool {
			all := points(t, g.URL, updates)[updates]
			return len(all) > 0 && all[len(all)-1] == n
		})
	}
	deploy := func(n int) {
		t.Helper()
		publish(t, artifacts, version(t, fmt.Sprint(n)))
		d.waitLog("msg=updated", n)
	}
	publish(t, artifacts, version(t, "1"))
	d.start()
	d.waitLog("msg=updated", 1)
	wait(1)

	g.StopCarbon()
	d.waitLog(`msg="cannot send metrics to graphite: trying again, nothing that counts is lost"`, 1)
	deploy(2)
	g.StartCarbon()
	wait(2)
	d.waitLog(`msg="metrics are sent to graphite again"`, 1)

	g.FreezeCarbon()
	deploy(3)
	g.ThawCarbon()
	wait(3)
	all := points(t, g.URL, updates)[updates]
	if !slices.IsSorted(all) || all[0] > 1 {
		t.Errorf("got the points %v of %s, want what was told before the outage, and nothing that falls", all, updates)
	}

	panels := 0
	board := readDashboard(t)
	for _, panel := range board.Panels {
		for _, target := range panel.Targets {
			if !strings.Contains(target.Target, ".services.") {
				continue
			}
			panels++
			waitFor(t, limit, "points of the panel "+panel.Title, func() bool {
				for _, values := range points(t, g.URL, board.replace(target.Target, "")) {
					if len(values) > 0 {
						return true
					}
				}
				return false
			})
		}
	}
	if panels < 6 {
		t.Errorf("got %d targets of Dropship's own series in the dashboard, want at least 6", panels)
	}

	g.FreezeCarbon()
	begun := time.Now()
	if code := d.stop(terminate); code != 0 {
		t.Errorf("exit code %d while carbon hangs, want 0", code)
	}
	if took := time.Since(begun); took > limit {
		t.Errorf("the agent took %s to stop while carbon hangs", took)
	}
}
