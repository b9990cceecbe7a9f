package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropship/dropship/test/servers"
)

// A dashboard is what this test needs of one, in Grafana's classic model.
type dashboard struct {
	Time struct {
		From string `json:"from"`
		To   string `json:"to"`
	} `json:"time"`
	Annotations struct {
		List []struct {
			Name       string `json:"name"`
			Datasource struct {
				Type string `json:"type"`
			} `json:"datasource"`
			Enable bool `json:"enable"`
			Target struct {
				FromAnnotations bool     `json:"fromAnnotations"`
				QueryType       string   `json:"queryType"`
				Target          string   `json:"target"`
				Tags            []string `json:"tags"`
			} `json:"target"`
		} `json:"list"`
	} `json:"annotations"`
	Templating struct {
		List []struct {
			Name  string `json:"name"`
			Query string `json:"query"`
		} `json:"list"`
	} `json:"templating"`
	Panels []struct {
		Title   string `json:"title"`
		Targets []struct {
			Target string `json:"target"`
		} `json:"targets"`
	} `json:"panels"`
}

// An annotation is what Grafana draws: its title, its text, and its tags, at a time in milliseconds.
type annotation struct {
	Time  int64
	Title string
	Tags  []string
	Text  string
}

// The example's two hooks tell the real Graphite of a good update and of one that is rolled back. Its dashboard, asked as
// Grafana asks (docs/grafana.md says where that is written down), shows both.
func TestGrafanaShowsDeployments(t *testing.T) {
	t.Parallel()
	graphite := servers.Get(t).Graphite.URL
	example, err := os.ReadFile("../../examples/graphite-grafana/dropship.hcl")
	if err != nil {
		t.Fatal(err)
	}
	_, hooks, found := strings.Cut(string(example), "  # The service's name is added to the tags.")
	if !found {
		t.Fatal("the example has no hooks for Graphite where they were")
	}
	b := newBucket(t)
	service := fmt.Sprintf("shop-%d", time.Now().UnixNano())
	d := newDaemon(t, map[string]string{"dropship.hcl": "stateDir = \"state\"\nsocket = \"dropship.sock\"\n" + b.repo(b.server.Endpoint) + fmt.Sprintf(`
service %q {
  checkInterval = "200ms"
  artifact "s3" {
    bucket      = %q
    path        = "shop.tar.gz"
    destination = "site"
  }
  after "script" {
    command = "! grep -q bad VERSION"
  }
  #`, service, b.name) + strings.ReplaceAll(hooks, "http://graphite.example.com", graphite)})
	begin := time.Now().Truncate(time.Second)
	good := b.put("shop.tar.gz", version(t, "1"))
	d.start()
	d.waitLog("msg=updated", 1)
	bad := b.put("shop.tar.gz", version(t, "bad"))
	d.waitLog(`msg="update rolled back"`, 1)

	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	deployed := annotation{Title: service + " deployed on " + host, Text: good, Tags: []string{"deployment", "production", service}}
	failed := annotation{Title: service + " rollback on " + host, Tags: []string{"deployment-failed", service}}

	board := readDashboard(t)
	for _, ask := range []struct {
		query, tag string // what the dashboard's variable is set to; empty: as it is when it has just been imported
		from, to   string
		want       []annotation
	}{
		{query: "Deployments", want: []annotation{deployed}},
		{query: "Deployments", tag: service, want: []annotation{deployed, failed}},
		{query: "Failed deployments", want: []annotation{failed}},
		{query: "Deployments", from: seconds(begin.Add(-time.Second)), to: seconds(time.Now().Add(time.Minute)), want: []annotation{deployed}},
		{query: "Deployments", from: seconds(begin.Add(-time.Hour)), to: seconds(begin.Add(-2 * time.Second)), want: nil},
	} {
		var got []annotation
		for _, a := range board.annotations(t, graphite, ask.query, ask.tag, ask.from, ask.to) {
			if !slices.Contains(a.Tags, service) {
				continue // of another service on this Graphite
			}
			if at := time.UnixMilli(a.Time); at.Before(begin) || at.After(time.Now().Add(time.Second)) {
				t.Errorf("%s: got an annotation at %s, want it between %s and now", ask.query, at, begin)
			}
			if slices.Contains(a.Tags, "deployment-failed") {
				if !strings.Contains(a.Text, "script") {
					t.Errorf("text of the failed update to %s: got %q, want what failed", bad, a.Text)
				}
				a.Text = ""
			}
			a.Time = 0
			slices.Sort(a.Tags)
			got = append(got, a)
		}
		if diff := cmp.Diff(ask.want, got); diff != "" {
			t.Errorf("%s with the variable %q, from %q to %q (-want +got):\n%s", ask.query, ask.tag, ask.from, ask.to, diff)
		}
	}

	if got, want := board.count(t, graphite, "Deployments per hour", service), 2.0; got != want {
		t.Errorf("panel of deployments: got %v events of %s, want %v", got, service, want)
	}
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	text, err := os.ReadFile("../../examples/graphite-grafana/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var board dashboard
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	return board
}

// annotations asks Graphite for the events of one of the dashboard's annotation queries, as Grafana's Graphite data
// source does, and makes annotations of the answer. Empty times are the dashboard's own.
func (b dashboard) annotations(t *testing.T, graphite, name, tag, from, to string) []annotation {
	t.Helper()
	for _, q := range b.Annotations.List {
		if q.Name != name {
			continue
		}
		if !q.Enable || q.Datasource.Type != "graphite" || !q.Target.FromAnnotations || q.Target.QueryType != "tags" || q.Target.Target != "" {
			t.Fatalf("the query %q is none for Graphite's events by their tags: %+v", name, q)
		}
		// Graphite leaves out of a request what no event has ever been tagged with, and would show all others.
		if len(q.Target.Tags) != 1 {
			t.Fatalf("the query %q asks for the tags %q, want one", name, q.Target.Tags)
		}
		if from == "" {
			from, to = graphiteTime(b.Time.From), graphiteTime(b.Time.To)
		}
		tags := b.replace(strings.Join(q.Target.Tags, " "), tag)
		// The browser encodes the spaces of the request's tags as %20.
		request := graphite + "/events/get_data?from=" + from + "&until=" + to + "&tags=" + url.PathEscape(tags)
		var events []struct {
			When int64    `json:"when"`
			What string   `json:"what"`
			Tags []string `json:"tags"`
			Data string   `json:"data"`
		}
		getJSON(t, request, &events)
		var all []annotation
		for _, e := range events {
			all = append(all, annotation{Time: e.When * 1000, Title: e.What, Tags: e.Tags, Text: e.Data})
		}
		return all
	}
	t.Fatalf("the dashboard has no annotation query %q", name)
	return nil
}

// count adds up the points of the first query of a panel.
func (b dashboard) count(t *testing.T, graphite, title, tag string) (sum float64) {
	t.Helper()
	for _, p := range b.Panels {
		if p.Title != title {
			continue
		}
		// Graphite 1.1 fails (500) in the very second of an event, if that is the last one asked for.
		until := seconds(time.Now().Add(time.Minute))
		v := url.Values{"target": {b.replace(p.Targets[0].Target, tag)}, "from": {graphiteTime(b.Time.From)}, "until": {until}, "format": {"json"}}
		var series []struct {
			Datapoints [][2]*float64 `json:"datapoints"`
		}
		getJSON(t, graphite+"/render?"+v.Encode(), &series)
		for _, s := range series {
			for _, point := range s.Datapoints {
				if point[0] != nil {
					sum += *point[0]
				}
			}
		}
		return sum
	}
	t.Fatalf("the dashboard has no panel %q", title)
	return 0
}

// replace puts the values of the dashboard's variables into a text. A tag that is not empty is what was typed for $tag.
func (b dashboard) replace(text, tag string) string {
	for _, v := range b.Templating.List {
		value := v.Query
		if v.Name == "tag" && tag != "" {
			value = tag
		}
		text = strings.ReplaceAll(text, "$"+v.Name, value)
	}
	return text
}

// graphiteTime is a time of a dashboard, relative to now, as Grafana passes it on.
func graphiteTime(s string) string {
	if ago, found := strings.CutPrefix(s, "now-"); found {
		return "-" + strings.Replace(ago, "m", "min", 1)
	}
	return s
}

func seconds(at time.Time) string { return fmt.Sprint(at.Unix()) }

func getJSON(t *testing.T, request string, answer any) {
	t.Helper()
	resp, err := http.Get(request)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: got %s, want 200", request, resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(answer); err != nil {
		t.Fatalf("%s: %v", request, err)
	}
}
