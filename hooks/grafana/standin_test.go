package grafana_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"
)

// A standIn is no Grafana: there is none to be had from where these tests get their servers. It is written from what
// Grafana documents of POST /api/annotations and of authentication ("Annotations API" and "Authentication" in its HTTP API
// reference, as of versions 12 and 13), and is stricter than Grafana where that hides mistakes: what is no field of the
// documentation is refused, and so are times that are not in milliseconds, a region that ends before it begins, and tags that
// are no list. What it cannot show is what a real Grafana does beyond its documentation.
type standIn struct {
	t    *testing.T
	base string // the path that Grafana is below
	auth string // the Authorization that it takes

	mu   sync.Mutex
	made []made
}

// made is an annotation, as the documentation has it.
type made struct {
	DashboardUID string   `json:"dashboardUID"`
	PanelID      int64    `json:"panelId"`
	Time         int64    `json:"time"`
	TimeEnd      int64    `json:"timeEnd"`
	Tags         []string `json:"tags"`
	Text         string   `json:"text"`
}

// start starts a stand-in at the path base, which takes that authorization, and returns its address.
func start(t *testing.T, base, auth string) (url string, g *standIn) {
	t.Helper()
	g = &standIn{t: t, base: base, auth: auth}
	s := httptest.NewServer(g)
	t.Cleanup(s.Close)
	return s.URL + base, g
}

// annotations returns what was made so far.
func (g *standIn) annotations() []made {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.made)
}

func (g *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	refuse := func(code int, message string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(map[string]string{"message": message})
	}
	body, err := io.ReadAll(r.Body)
	switch {
	case err != nil:
		g.t.Errorf("cannot read the request: %v", err)
		return
	case r.URL.Path != g.base+"/api/annotations" || r.URL.RawQuery != "":
		refuse(http.StatusNotFound, "Not found")
		return
	case r.Header.Get("Authorization") != g.auth:
		refuse(http.StatusUnauthorized, "Invalid API key")
		return
	case r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Accept") != "application/json":
		refuse(http.StatusBadRequest, "bad request data")
		return
	}
	var a made
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		refuse(http.StatusBadRequest, "bad request data: "+err.Error())
		return
	}
	// No annotation of these tests is from before 2001 or from after 2100: such a time is in seconds or in nanoseconds.
	first, last := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli(), time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	switch {
	case a.Text == "":
		refuse(http.StatusBadRequest, "Failed to save annotation: text field should not be empty")
	case a.Time < first || a.TimeEnd > last || a.TimeEnd < a.Time:
		refuse(http.StatusBadRequest, fmt.Sprintf("no times in milliseconds: %d to %d", a.Time, a.TimeEnd))
	case a.PanelID != 0 && a.DashboardUID == "":
		refuse(http.StatusBadRequest, "a panel without a dashboard")
	case bytes.Contains(body, []byte(`"dashboardUID":""`)) || bytes.Contains(body, []byte(`"panelId":0`)):
		refuse(http.StatusBadRequest, "optional fields are left out, or have a value")
	default:
		g.mu.Lock()
		g.made = append(g.made, a)
		id := len(g.made)
		g.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"message":"Annotation added","id":%d}`, id)
	}
}
