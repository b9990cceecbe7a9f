package api_test

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropship/dropship/dropship"
	"github.com/dropship/dropship/dropship/config"
)

// The commands in the manual work as they stand there, in that order, and what the agent answers has the fields that the
// manual shows, no more and no fewer.
func TestManual(t *testing.T) {
	t.Parallel()
	manual, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	m := started(t)
	m.update("2")
	examples := regexp.MustCompile("(?s)```console\n# (.*?)\n(.*?)```").FindAllStringSubmatch(string(manual), -1)
	for _, example := range examples {
		command, want := example[1], example[2]
		out, err := exec.CommandContext(t.Context(), "sh", "-c", strings.ReplaceAll(command, config.DefaultSocket, m.socket)).Output()
		if err != nil {
			t.Errorf("%s: %v", command, err)
			continue
		}
		if diff := cmp.Diff(fields(t, want), fields(t, string(out))); diff != "" {
			t.Errorf("%s: the manual has (-), the agent (+):\n%s", command, diff)
		}
		if strings.HasSuffix(command, "/rollback") {
			m.settled("1")
		} else {
			m.settled("2")
		}
	}
	if got, want := len(examples), 11; got != want {
		t.Errorf("got %d examples, want %d", got, want)
	}
	events := regexp.MustCompile(`(?m)^event: (.*)\ndata: (.*)$`).FindAllStringSubmatch(string(manual), -1)
	for _, event := range events {
		var e dropship.Event
		d := json.NewDecoder(strings.NewReader(event[2]))
		d.DisallowUnknownFields()
		if err := d.Decode(&e); err != nil || string(e.Type) != event[1] {
			t.Errorf("event %s: got %+v, error %v", event[1], e, err)
		}
	}
	if len(events) == 0 {
		t.Error("the manual shows no event")
	}
}

// fields returns the paths of all that is in a JSON text, sorted: ".services[].name".
func fields(t *testing.T, text string) []string {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Errorf("%v in %q", err, text)
	}
	found := map[string]bool{}
	var walk func(path string, value any)
	walk = func(path string, value any) {
		found[path] = true
		switch v := value.(type) {
		case map[string]any:
			for name, inner := range v {
				walk(path+"."+name, inner)
			}
		case []any:
			for _, inner := range v {
				walk(path+"[]", inner)
			}
		}
	}
	walk("", value)
	return slices.Sorted(maps.Keys(found))
}
