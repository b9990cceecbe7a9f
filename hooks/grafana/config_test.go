package grafana_test

import (
	"testing"
	"time"

	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/grafana"
	"github.com/dropship/dropship/hooks/hookstest"
)

func TestKind(t *testing.T) {
	t.Parallel()
	k := grafana.Kind()
	if k.Timeout != 15*time.Second || k.OnError != hooks.Continue || k.When != hooks.Success {
		t.Errorf("got %s, %s, %s, want 15s, continue, success", k.Timeout, k.OnError, k.When)
	}
}

func TestMistakes(t *testing.T) {
	t.Parallel()
	const url = "url = \"http://g\"\n"
	tests := []struct {
		name, source string
		want         []hookstest.Mistake
	}{
		{"nothing", ``, []hookstest.Mistake{{Line: 1, Column: 1, Summary: "Missing required argument"}}},
		{"no address", `url = "grafana.example.com"`, []hookstest.Mistake{{Line: 1, Column: 7, Summary: "Invalid url"}}},
		{"a placeholder", `url = "http://u:planted@<grafana>"`, []hookstest.Mistake{{Line: 1, Column: 7, Summary: "Invalid url"}}},
		{"a query", `url = "http://g/?orgId=1"`, []hookstest.Mistake{{Line: 1, Column: 7, Summary: "Invalid url"}}},
		{"token and user", url + "token = \"planted\"\nuser = \"u\"", []hookstest.Mistake{{Line: 2, Column: 9, Summary: "Two ways to log in"}}},
		{"token and a user in the url", "url = \"http://u:planted@g\"\ntoken = \"planted\"", []hookstest.Mistake{{Line: 2, Column: 9, Summary: "Two ways to log in"}}},
		{"empty text", url + `text = " "`, []hookstest.Mistake{{Line: 2, Column: 8, Summary: "Empty text"}}},
		{"no such field", url + "text = \"{{.Nope}}\"\ntags = [\"{{.Nope}}\"]", []hookstest.Mistake{
			{Line: 2, Column: 8, Summary: "Invalid template"},
			{Line: 3, Column: 8, Summary: "Invalid template"},
		}},
		{"tags of a wrong type", url + `tags = 5`, []hookstest.Mistake{{Line: 2, Column: 8, Summary: "Invalid tags"}}},
		{"empty dashboard", url + `dashboardUID = ""`, []hookstest.Mistake{{Line: 2, Column: 16, Summary: "Empty dashboardUID"}}},
		{"a panel of no dashboard", url + `panelId = 2`, []hookstest.Mistake{{Line: 2, Column: 11, Summary: "panelId without dashboardUID"}}},
		{"panel 0", url + "panelId = 0\ndashboardUID = \"d\"", []hookstest.Mistake{{Line: 2, Column: 11, Summary: "Invalid panelId"}}},
		{"half a panel", url + "panelId = 1.5\ndashboardUID = \"d\"", []hookstest.Mistake{{Line: 2, Column: 11, Summary: "Unsuitable value type"}}},
		{"all at once", "url = \"x\"\ntext = \"\"\npanelId = -1\nuid = 1", []hookstest.Mistake{
			{Line: 4, Column: 1, Summary: "Unsupported argument"},
			{Line: 1, Column: 7, Summary: "Invalid url"},
			{Line: 2, Column: 8, Summary: "Empty text"},
			{Line: 3, Column: 11, Summary: "Invalid panelId"},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			hookstest.Refuses(t, grafana.Kind(), tt.source, tt.want)
		})
	}
}
