package graphite_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dropship/dropship/hooks/hookstest"
	"github.com/dropship/dropship/test/servers"
)

// The tool of old wrote what it had rendered over its own template: from the second update on every
// event said the first hash, and the service's name was added to the tags once more each time.
func TestFault08TemplatesAreRenderedAfreshForEveryEvent(t *testing.T) {
	t.Parallel()
	graphiteURL := servers.Get(t).Graphite.URL
	service := fmt.Sprintf("fault-08-%s", hookstest.Unique())
	h := newHook(t, attributes+`host = "`+graphiteURL+`"`)

	type event struct {
		What string   `json:"what"`
		Data string   `json:"data"`
		Tags []string `json:"tags"`
	}
	var want []event
	for n := 1; n <= 3; n++ {
		ev := hookstest.Event(n)
		ev.Name = service
		if err := h.Run(t.Context(), ev); err != nil {
			t.Fatal(err)
		}
		want = append(want, event{"deployed " + service + " on host-1", ev.Hash, []string{"deployment", service}})
	}

	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, graphiteURL+"/events/get_data?tags="+url.QueryEscape(service), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got []event
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	byData := cmpopts.SortSlices(func(a, b event) bool { return a.Data < b.Data })
	inOrder := cmpopts.SortSlices(func(a, b string) bool { return a < b })
	if diff := cmp.Diff(want, got, byData, inOrder); diff != "" {
		t.Errorf("events in Graphite (-want +got):\n%s", diff)
	}
}
