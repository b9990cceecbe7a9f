package webhook_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/hookstest"
	"github.com/dropship/dropship/hooks/webhook"
)

// What the four services document of the bodies that they take, as far as the example uses it. A field that is not here is
// a mistake. docs/hooks.md says where each format is written down.
type (
	slack struct {
		Text   string `json:"text"`
		Blocks []struct {
			Type string `json:"type"`
			Text struct {
				Type string `json:"type"`
				Text string `json:"text"`
			} `json:"text"`
		} `json:"blocks"`
	}
	mattermost struct {
		Username    string `json:"username"`
		Text        string `json:"text"`
		Attachments []struct {
			Color    string `json:"color"`
			Fallback string `json:"fallback"`
			Text     string `json:"text"`
		} `json:"attachments"`
	}
	teams struct {
		Type        string `json:"type"`
		Attachments []struct {
			ContentType string  `json:"contentType"`
			ContentURL  *string `json:"contentUrl"`
			Content     struct {
				Schema  string `json:"$schema"`
				Type    string `json:"type"`
				Version string `json:"version"`
				Body    []struct {
					Type   string `json:"type"`
					Size   string `json:"size"`
					Weight string `json:"weight"`
					Wrap   bool   `json:"wrap"`
					Color  string `json:"color"`
					Text   string `json:"text"`
					Facts  []struct {
						Title string `json:"title"`
						Value string `json:"value"`
					} `json:"facts"`
				} `json:"body"`
			} `json:"content"`
		} `json:"attachments"`
	}
	pagerDuty struct {
		RoutingKey  string `json:"routing_key"`
		EventAction string `json:"event_action"`
		DedupKey    string `json:"dedup_key"`
		Payload     *struct {
			Summary       string         `json:"summary"`
			Source        string         `json:"source"`
			Severity      string         `json:"severity"`
			Component     string         `json:"component"`
			CustomDetails map[string]any `json:"custom_details"`
		} `json:"payload"`
	}
)

// Each webhook of the example, sent to a server of the test, sends what its service takes: of a good update, of one that
// was rolled back with a long and awkward error, and of one that failed.
func TestExamples(t *testing.T) {
	t.Parallel()
	url, got := receive(t, ok)
	example := exampleHooks(t, url)
	good, rollback, failed := hookstest.Event(1), hookstest.Event(2), hookstest.Event(3)
	rollback.Status, failed.Status = hooks.StatusRollback, hooks.StatusFailed
	rollback.Error = "<!channel> \"no\"\r\n\t\\ " + strings.Repeat("ä", 5000)
	failed.Error = "exit status 1"
	var paths []string
	for _, ev := range []hooks.Event{good, rollback, failed} {
		for _, step := range example {
			if !step.When.Fits(ev.Status) {
				continue
			}
			before := len(got())
			if err := step.Run(t.Context(), ev); err != nil {
				t.Fatal(err)
			}
			r := got()[before]
			paths = append(paths, string(ev.Status)+" "+r.URI)
			t.Run(string(ev.Status)+r.URI, func(t *testing.T) { checkExample(t, r, ev) })
		}
	}
	const want = "update /slack, update /mattermost, update /teams, update /v2/enqueue, update /events, " +
		"rollback /slack, rollback /mattermost, rollback /teams, rollback /v2/enqueue, rollback /events, " +
		"failed /slack, failed /mattermost, failed /teams, failed /v2/enqueue, failed /events"
	if got := strings.Join(paths, ", "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func checkExample(t *testing.T, r received, ev hooks.Event) {
	bad := ev.Status != hooks.StatusUpdate
	begin := []rune(ev.Error)[:min(13, utf8.RuneCountInString(ev.Error))]
	wantIn := func(text string, limit int) {
		t.Helper()
		if n := utf8.RuneCountInString(text); n > limit || !strings.Contains(text, string(begin)) || !strings.Contains(text, "web") {
			t.Errorf("got %d characters, %.100q, want the service and the error in %d at the most", n, text, limit)
		}
	}
	switch r.URI {
	case "/slack":
		var body slack
		strictly(t, r.Body, &body)
		if len(body.Blocks) != 1 || body.Blocks[0].Type != "section" || body.Blocks[0].Text.Type != "plain_text" || body.Text == "" {
			t.Errorf("got %+v, want text and a section", body)
		}
		wantIn(body.Blocks[0].Text.Text, 3000)
	case "/mattermost":
		var body mattermost
		strictly(t, r.Body, &body)
		if (len(body.Attachments) == 1) != bad {
			t.Fatalf("got %d attachments", len(body.Attachments))
		}
		if bad {
			wantIn("web"+body.Attachments[0].Text, 16383)
		}
	case "/teams":
		var body teams
		strictly(t, r.Body, &body)
		if body.Type != "message" || len(body.Attachments) != 1 || body.Attachments[0].ContentType != "application/vnd.microsoft.card.adaptive" {
			t.Fatalf("got %+v, want a message with a card", body)
		}
		card := body.Attachments[0].Content
		if card.Type != "AdaptiveCard" || card.Version != "1.4" || len(card.Body) != 2 || card.Body[0].Type != "TextBlock" || card.Body[1].Type != "FactSet" {
			t.Errorf("got %+v, want a text and facts", card)
		}
		if (card.Body[0].Color == "Attention") != bad || len(r.Body) > 28<<10 {
			t.Errorf("got %s, %d bytes", card.Body[0].Color, len(r.Body))
		}
		wantIn("web"+card.Body[1].Facts[2].Value, 28<<10)
	case "/v2/enqueue":
		var body pagerDuty
		strictly(t, r.Body, &body)
		if len(body.RoutingKey) != 32 || body.DedupKey != "dropship/host-1/web" || len(body.DedupKey) > 255 {
			t.Errorf("got %+v, want a key of 32 characters, and the same dedup_key for all", body)
		}
		if !bad {
			if body.EventAction != "resolve" || body.Payload != nil {
				t.Errorf("got %+v, want a resolve", body)
			}
			return
		}
		want := map[hooks.Status]string{hooks.StatusRollback: "warning", hooks.StatusFailed: "critical"}[ev.Status]
		if body.EventAction != "trigger" || body.Payload.Severity != want || body.Payload.Source != "host-1" {
			t.Errorf("got %+v, want a trigger with severity %s", body, want)
		}
		wantIn(body.Payload.Summary, 1024)
	default:
		if r.Header.Get("webhook-signature") == "" {
			t.Error("it is not signed")
		}
	}
}

func strictly(t *testing.T, text []byte, into any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

// exampleHooks returns the webhooks of the example, with the server at url in place of the ones it names.
func exampleHooks(t *testing.T, url string) hooks.Chain {
	t.Helper()
	text, err := os.ReadFile("../../examples/webhooks/dropship.hcl")
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{
		"SLACK_WEBHOOK_URL":      url + "/slack",
		"MATTERMOST_WEBHOOK_URL": url + "/mattermost",
		"TEAMS_WEBHOOK_URL":      url + "/teams",
		"PAGERDUTY_ROUTING_KEY":  strings.Repeat("0123456789abcdef", 2),
		"WEBHOOK_SECRET":         key,
	}
	for _, host := range []string{"https://events.pagerduty.com", "https://deployments.example.com"} {
		text = bytes.ReplaceAll(text, []byte(host), []byte(url))
	}
	file, diags := hclsyntax.ParseConfig(text, "dropship.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	ectx := &hcl.EvalContext{Functions: map[string]function.Function{"env": function.New(&function.Spec{
		Params: []function.Parameter{{Name: "name", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			value, found := env[args[0].AsString()]
			if !found {
				return cty.NilVal, fmt.Errorf("%s is not set", args[0].AsString())
			}
			return cty.StringVal(value), nil
		},
	})}}
	var chain hooks.Chain
	for _, service := range file.Body.(*hclsyntax.Body).Blocks {
		for _, block := range service.Body.Blocks {
			if block.Type != "after" || block.Labels[0] != "webhook" {
				continue
			}
			policy, rest, diags := block.Body.PartialContent(&hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "when"}}})
			if diags.HasErrors() {
				t.Fatal(diags)
			}
			when := webhook.Kind().When
			if a := policy.Attributes["when"]; a != nil {
				v, _ := a.Expr.Value(nil)
				when = hooks.When(v.AsString())
			}
			h, diags := webhook.Kind().New(rest, ectx)
			if len(diags) > 0 {
				t.Fatal(diags)
			}
			chain = append(chain, hooks.Step{Hook: h, When: when})
		}
	}
	return chain
}
