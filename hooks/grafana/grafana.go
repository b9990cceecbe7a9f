// Package grafana is the hook that marks an update in Grafana itself: a region from the update's start to its end, on the
// graphs of every dashboard that asks for its tags, or on one dashboard or panel.
//
//	after "grafana-annotation" {
//	  url   = "https://grafana.example.com"
//	  token = env("GRAFANA_TOKEN")
//	  tags  = "deployment"
//	}
//
// The region is made by one request when the hook runs. Nothing is left open by an update that is killed, and no id has
// to be kept between the chains. The service's name is always among the tags.
//
// A mark that is missing does less harm than one that is there twice, so the request is sent again only where Grafana
// surely did not take it: no connection could be made, or the answer was 429 or 503.
package grafana

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/dropship/dropship/dropship/secret"
	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/internal/request"
	"github.com/dropship/dropship/hooks/internal/tags"
)

// Hook makes an annotation.
type Hook struct {
	url          string   // Grafana's address, as it may be printed
	annotations  *url.URL // where annotations are made
	token        secret.String
	user         string
	password     secret.String
	text         *hooks.Template
	tags         tags.Tags
	dashboardUID string
	panelID      int64
	client       *request.Client
}

var _ hooks.Hook = (*Hook)(nil)

// String returns "grafana-annotation " and the address of Grafana.
func (h *Hook) String() string { return "grafana-annotation " + h.url }

// annotation is what Grafana takes at POST /api/annotations. Times are in milliseconds since 1970.
type annotation struct {
	DashboardUID string   `json:"dashboardUID,omitempty"`
	PanelID      int64    `json:"panelId,omitempty"`
	Time         int64    `json:"time"`
	TimeEnd      int64    `json:"timeEnd"`
	Tags         []string `json:"tags"`
	Text         string   `json:"text"`
}

// Run makes the annotation of ev, and returns nil if Grafana says that it has it. It retries as the package says.
func (h *Hook) Run(ctx context.Context, ev hooks.Event) error {
	body, err := h.render(ev, time.Now())
	if err != nil {
		return err
	}
	build := func(ctx context.Context) (*http.Request, error) { return h.request(ctx, body) }
	a, err := h.client.Send(ctx, build, request.NotTaken, h.token.Reveal(), h.password.Reveal())
	if err != nil {
		return fmt.Errorf("cannot make an annotation at %s: %w", h.annotations, err)
	}
	// A login page, or another server's start page, is a 200 as well.
	var made struct {
		ID int64 `json:"id"`
	}
	if err := json.Unmarshal([]byte(a.Body), &made); err != nil || made.ID == 0 {
		return fmt.Errorf("cannot make an annotation at %s: no id of one in the answer, is url the address of Grafana? %s", h.annotations, a)
	}
	return nil
}

func (h *Hook) render(ev hooks.Event, now time.Time) ([]byte, error) {
	a := annotation{DashboardUID: h.dashboardUID, PanelID: h.panelID, Time: ev.Started.UnixMilli(), TimeEnd: now.UnixMilli()}
	// The clock may have been set back since.
	if ev.Started.IsZero() || a.Time > a.TimeEnd {
		a.Time = a.TimeEnd
	}
	var err error
	if a.Text, err = h.text.Render(ev); err != nil {
		return nil, fmt.Errorf("text: %w", err)
	}
	if a.Tags, err = h.tags.Render(ev); err != nil {
		return nil, fmt.Errorf("tags: %w", err)
	}
	body, err := json.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("cannot encode the annotation: %w", err)
	}
	return body, nil
}

func (h *Hook) request(ctx context.Context, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.annotations.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	switch {
	case h.token != "":
		req.Header.Set("Authorization", "Bearer "+h.token.Reveal())
	case h.user != "" || h.password != "":
		req.SetBasicAuth(h.user, h.password.Reveal())
	}
	return req, nil
}
