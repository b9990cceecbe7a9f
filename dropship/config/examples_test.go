package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropship/dropship/dropship/config"
)

// Each example loads as it is copied, and without a warning: only the oldest form of the oldest one has
// some, and says so.
func TestExamples(t *testing.T) {
	for _, name := range []string{"MINIO_ACCESS_KEY", "MINIO_SECRET_KEY", "SWIFT_USER", "SWIFT_KEY"} {
		t.Setenv(name, "value-of-"+name)
	}
	t.Setenv("SLACK_WEBHOOK_URL", "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX")
	t.Setenv("MATTERMOST_WEBHOOK_URL", "https://mattermost.example.com/hooks/xxx-generatedkey-xxx")
	t.Setenv("TEAMS_WEBHOOK_URL", "https://example.westus.logic.azure.com:443/workflows/0/triggers/manual/paths/invoke?sig=x")
	t.Setenv("PAGERDUTY_ROUTING_KEY", "0123456789abcdef0123456789abcdef")
	t.Setenv("WEBHOOK_SECRET", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
	services := map[string][]string{
		"2015":             {"legacy", "my-service"},
		"consul-rolling":   {"shop", "search"},
		"graphite-grafana": {"shop"},
		"prometheus":       {"shop"},
		"quickstart":       {"hello"},
		"s3":               {"shop", "metrics-exporter"},
		"swift":            {"wiki"},
		"webhooks":         {"shop"},
	}
	warnings := map[string]map[string][]string{
		"2015": {
			"services/legacy.hcl:8": {"WARNING: Deprecated argument"},
			"services/legacy.hcl:9": {"WARNING: Deprecated argument"},
		},
	}
	entries, err := os.ReadDir("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		found++
		t.Run(entry.Name(), func(t *testing.T) {
			path := copyFixture(t, filepath.Join("../../examples", entry.Name()))
			got, diags := config.Load(filepath.Join(path, "dropship.hcl"), kinds())
			if got == nil {
				t.Fatalf("it does not load:\n%s", printed(diags))
			}
			want := make(map[string][]string)
			for place, summaries := range warnings[entry.Name()] {
				want[filepath.Join(path, place)] = summaries
			}
			if diff := cmp.Diff(want, reported(diags)); diff != "" {
				t.Errorf("warnings (-want +got):\n%s", diff)
			}
			var names []string
			for _, s := range got.Services {
				names = append(names, s.Name)
			}
			if diff := cmp.Diff(services[entry.Name()], names); diff != "" {
				t.Errorf("services (-want +got):\n%s", diff)
			}
		})
	}
	if got, want := found, len(services); got != want {
		t.Errorf("there are %d examples, want %d", got, want)
	}
}
