package grafana_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/grafana"
	"github.com/dropship/dropship/hooks/hookstest"
)

func newHook(t *testing.T, source string) hooks.Hook {
	t.Helper()
	return hookstest.New(t, grafana.Kind(), source)
}

func TestSuite(t *testing.T) {
	at := func(t *testing.T, address string) hooks.Hook {
		return newHook(t, fmt.Sprintf("url = \"http://%s/grafana\"\ntoken = \"planted/token\"", address))
	}
	basic := func(t *testing.T, address string) hooks.Hook {
		return newHook(t, fmt.Sprintf("url = \"http://planted-user:planted-inner@%s/grafana\"\nuser = \"ann\"\npassword = \"planted/password\"", address))
	}
	hookstest.Run(t, hookstest.Case{
		Kind:    "grafana-annotation",
		Secrets: []string{"planted/token", "planted/password", "planted-inner", "ann:planted/password"},
		Works: func(t *testing.T, _ *slog.Logger) (hooks.Hook, func() []string) {
			address, got := hookstest.Recording(t, `{"message":"Annotation added","id":1}`)
			return at(t, address), got
		},
		Hangs: func(t *testing.T, _ *slog.Logger) (hooks.Hook, <-chan struct{}) {
			address, underWay := hookstest.Hanging(t)
			return at(t, address), underWay
		},
		Fails: map[string]func(*testing.T, *slog.Logger) hooks.Hook{
			"connection cut": func(t *testing.T, _ *slog.Logger) hooks.Hook { return at(t, hookstest.Cutting(t)) },
			"internal error": func(t *testing.T, _ *slog.Logger) hooks.Hook {
				return at(t, hookstest.Echoing(t, http.StatusInternalServerError))
			},
			"forbidden": func(t *testing.T, _ *slog.Logger) hooks.Hook {
				return basic(t, hookstest.Echoing(t, http.StatusForbidden))
			},
			"another server": func(t *testing.T, _ *slog.Logger) hooks.Hook { return basic(t, hookstest.Echoing(t, http.StatusOK)) },
		},
	})
}

// run runs a hook as a chain does, and returns what is kept of it.
func run(t *testing.T, h hooks.Hook, ev hooks.Event, limit time.Duration) (string, error) {
	t.Helper()
	var out string
	chain := hooks.Chain{{Hook: h, Timeout: limit, OnError: hooks.Abort, When: hooks.Always}}
	err := chain.Run(t.Context(), 0, ev, hooks.Report{End: func(_ int, ran hooks.Ran) { out = ran.Output }})
	return out, err
}

func TestRegion(t *testing.T) {
	t.Parallel()
	url, g := start(t, "/sub/path", "Bearer glsa_token")
	h := newHook(t, fmt.Sprintf(`
		url          = %q
		token        = "glsa_token"
		text         = "{{.Name}} on {{.Hostname}}"
		tags         = "deployment, production"
		dashboardUID = "jcIIG-07z"
		panelId      = 2
	`, url+"/"))
	ev := hookstest.Event(1)
	ev.Started = time.Now().Add(-90 * time.Second)
	before := time.Now().UnixMilli()
	out, err := run(t, h, ev, 20*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if want := `200 OK: "{\"message\":\"Annotation added\",\"id\":1}"` + "\n"; out != want {
		t.Errorf("got output %q, want %q", out, want)
	}
	all := g.annotations()
	if len(all) != 1 {
		t.Fatalf("got %d annotations, want 1", len(all))
	}
	if end := all[0].TimeEnd; end < before || end > time.Now().UnixMilli() {
		t.Errorf("it ends at %d, want now: %d", end, before)
	}
	all[0].TimeEnd = 0
	want := made{
		DashboardUID: "jcIIG-07z", PanelID: 2, Time: ev.Started.UnixMilli(),
		Tags: []string{"deployment", "production", "web"}, Text: "web on host-1",
	}
	if diff := cmp.Diff(want, all[0]); diff != "" {
		t.Errorf("annotation (-want +got):\n%s", diff)
	}
}

// An update whose beginning nobody knows, or that began in the future by a clock that was set back, is a point, now.
func TestNoRegion(t *testing.T) {
	t.Parallel()
	url, g := start(t, "", "")
	h := newHook(t, `url = "`+url+`"`)
	unknown, ahead := hookstest.Event(1), hookstest.Event(2)
	unknown.Started, ahead.Started = time.Time{}, time.Now().Add(time.Hour)
	for _, ev := range []hooks.Event{unknown, ahead} {
		if _, err := run(t, h, ev, 20*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	for _, a := range g.annotations() {
		if a.Time != a.TimeEnd || time.Since(time.UnixMilli(a.Time)) > time.Minute {
			t.Errorf("got %d to %d, want now", a.Time, a.TimeEnd)
		}
	}
}

func TestDefaultsAndBasicAuthentication(t *testing.T) {
	t.Parallel()
	url, g := start(t, "", "Basic YW5uOnB3")
	host := strings.TrimPrefix(url, "http://")
	ev, failed := hookstest.Event(1), hookstest.Event(2)
	failed.Status, failed.Error = hooks.StatusFailed, "<b>no</b>"
	for _, source := range []string{
		"url = \"http://ann:pw@" + host + "\"",
		"url = \"http://" + host + "\"\nuser = \"ann\"\npassword = \"pw\"",
	} {
		for _, ev := range []hooks.Event{ev, failed} {
			if _, err := run(t, newHook(t, source), ev, 20*time.Second); err != nil {
				t.Fatal(err)
			}
		}
	}
	all := g.annotations()
	if len(all) != 4 {
		t.Fatalf("got %d annotations, want 4", len(all))
	}
	for i, want := range []string{
		"web: update to " + ev.Hash + " on host-1",
		"web: failed to " + failed.Hash + " on host-1: &lt;b&gt;no&lt;/b&gt;",
	} {
		if a := all[i]; a.Text != want || a.DashboardUID != "" || a.PanelID != 0 || !cmp.Equal(a.Tags, []string{"web"}) {
			t.Errorf("got %+v, want the text %q, one tag, and no dashboard", a, want)
		}
	}
}

// What Grafana says is in the error.
func TestRefused(t *testing.T) {
	t.Parallel()
	url, g := start(t, "/grafana", "Bearer right")
	for source, want := range map[string]string{
		"token = \"wrong\"":                        `cannot make an annotation at ` + url + `/api/annotations: 401 Unauthorized: "{\"message\":\"Invalid API key\"}"`,
		"token = \"right\"\ntext = \"{{.Error}}\"": `400 Bad Request: "{\"message\":\"Failed to save annotation: text field should not be empty\"}"`,
	} {
		_, err := run(t, newHook(t, "url = \""+url+"\"\n"+source), hookstest.Event(1), 20*time.Second)
		if err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: got %v, want it to end with %s", source, err, want)
		}
	}
	if n := len(g.annotations()); n != 0 {
		t.Errorf("got %d annotations, want none", n)
	}
}

// A page that anybody gets is no annotation.
func TestAnotherServer(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{"<html>log in</html>", `{"message":"ok"}`, `{"id":0}`, `[]`, ``} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(answer)) }))
		_, err := run(t, newHook(t, `url = "`+s.URL+`"`), hookstest.Event(1), 20*time.Second)
		s.Close()
		if err == nil || !strings.Contains(err.Error(), "is url the address of Grafana? 200 OK") {
			t.Errorf("%q: got %v, want it not to be taken for Grafana", answer, err)
		}
	}
}
