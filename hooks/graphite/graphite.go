// Package graphite is the hook that marks a deployment on the graphs: it posts an event to
// graphite-web, which Grafana and Graphite show as an annotation.
//
//	after "graphite-event" {
//	  host = "http://graphite.example.com"
//	  tags = "deployment"
//	  what = "deployed {{.Name}} on {{.Hostname}}"
//	  data = "{{.Hash}}"
//	}
//
// The service's name is always among the tags. They are sent as a list, as Graphite 1.0 and later
// have them. A server that answers a list with 400, 422 or 500 is asked once more with the tags in one string,
// as older ones have them.
//
// A mark that is missing does less harm than one that is there twice, so the event is posted again only
// where it surely was not taken: no connection could be made, or the answer was 429 or 503. There
// are three attempts in all. A connection that breaks after the event was sent is an error at once.
package graphite

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/dropship/dropship/dropship/secret"
	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/internal/answer"
	"github.com/dropship/dropship/hooks/internal/tags"
)

const (
	attempts = 3
	backOff  = 500 * time.Millisecond // before the second attempt; it doubles
)

// Hook posts an event.
type Hook struct {
	host       string   // as it may be printed
	events     *url.URL // nil: host is no address
	user       string
	password   secret.String
	what, data *hooks.Template // data may be nil
	tags       tags.Tags
	client     *http.Client
}

var _ hooks.Hook = (*Hook)(nil)

// String returns "graphite-event " and the host.
func (h *Hook) String() string { return "graphite-event " + h.host }

// event is what graphite-web takes at /events/.
type event struct {
	What string `json:"what"`
	Tags any    `json:"tags"` // []string, or one string
	Data string `json:"data"`
	When int64  `json:"when"` // seconds since 1970
}

// Run posts the event of ev, and returns nil if the server took it. It retries as the package says.
func (h *Hook) Run(ctx context.Context, ev hooks.Event) error {
	if h.events == nil {
		return fmt.Errorf("cannot post an event: host %s is not a valid address", h.host)
	}
	e, err := h.render(ev)
	if err != nil {
		return err
	}
	a, err := h.post(ctx, e)
	if err == nil && wantsString(a) {
		e.Tags = strings.Join(e.Tags.([]string), " ")
		a, err = h.post(ctx, e)
	}
	if err == nil && a.Code/100 != 2 {
		err = errors.New(a.String())
	}
	if err != nil {
		return fmt.Errorf("cannot post an event to %s: %w", h.events, err)
	}
	return nil
}

// wantsString says whether an answer may mean that the server is too old for tags in a list.
func wantsString(a answer.Answer) bool {
	return a.Code == http.StatusBadRequest || a.Code == http.StatusUnprocessableEntity || a.Code == http.StatusInternalServerError
}

func (h *Hook) render(ev hooks.Event) (event, error) {
	e := event{When: time.Now().Unix()}
	var err error
	if e.What, err = h.what.Render(ev); err != nil {
		return event{}, fmt.Errorf("what: %w", err)
	}
	if h.data != nil {
		if e.Data, err = h.data.Render(ev); err != nil {
			return event{}, fmt.Errorf("data: %w", err)
		}
	}
	if e.Tags, err = h.tags.Render(ev); err != nil {
		return event{}, fmt.Errorf("tags: %w", err)
	}
	return e, nil
}

// post sends e until it is taken, refused, or possibly lost.
func (h *Hook) post(ctx context.Context, e event) (answer.Answer, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return answer.Answer{}, fmt.Errorf("cannot encode it: %w", err)
	}
	wait := backOff
	for attempt := 1; ; attempt++ {
		a, err := h.postOnce(ctx, body)
		if !notTaken(a, err) || attempt == attempts || ctx.Err() != nil {
			return a, err
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			if err == nil {
				err = errors.New(a.String())
			}
			return a, fmt.Errorf("%w: stopped while waiting for attempt %d: %w", context.Cause(ctx), attempt+1, err)
		case <-timer.C:
		}
		wait *= 2
	}
}

// notTaken says whether the server surely did not take the event.
func notTaken(a answer.Answer, err error) bool {
	if err == nil {
		return a.Code == http.StatusTooManyRequests || a.Code == http.StatusServiceUnavailable
	}
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

func (h *Hook) postOnce(ctx context.Context, body []byte) (answer.Answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.events.String(), bytes.NewReader(body))
	if err != nil {
		return answer.Answer{}, answer.Cause(ctx, err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "dropship")
	if h.user != "" || h.password != "" {
		req.SetBasicAuth(h.user, h.password.Reveal())
	}
	// The transport sends a request again on its own only where a body can be had again.
	req.GetBody = nil
	resp, err := h.client.Do(req)
	if err != nil {
		return answer.Answer{}, answer.Cause(ctx, err)
	}
	defer resp.Body.Close()
	a, err := answer.Read(resp)
	if err != nil {
		return answer.Answer{}, err
	}
	if a.Code/100 == 3 {
		return a, fmt.Errorf("%s to %s: give that address as host", a.Status, secret.URL(resp.Header.Get("Location")))
	}
	return a, nil
}
