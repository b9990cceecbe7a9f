// Package webhook is the hook that tells a web server of an update: it posts a body made from a template, in JSON unless
// a header says otherwise. Chats and pagers that take such requests (Slack, Mattermost, Teams, PagerDuty) need no more.
//
//	after "webhook" {
//	  url  = env("SLACK_WEBHOOK_URL")
//	  body = <<-EOT
//	    {"text": {{printf "%s deployed on %s" .Name .Hostname | json}}}
//	  EOT
//	}
//
// Requests are those of Standard Webhooks (https://www.standardwebhooks.com): webhook-id says what is told, the same
// however often it is sent, and with a secret webhook-timestamp and webhook-signature show who tells it.
//
// A message that comes twice does less harm than one that does not come, and webhook-id tells it from another one. So it
// is sent again after 429, 5xx, and whenever the connection failed, as hooks/internal/request says.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/dropship/dropship/dropship/secret"
	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/internal/request"
)

// Hook posts a message.
type Hook struct {
	url     *url.URL // without user and password
	user    *url.Userinfo
	method  string
	headers map[string]secret.String
	body    *hooks.Template
	json    bool   // the body must be JSON
	key     []byte // signs; nil: nothing is signed
	hide    []string
	client  *request.Client
}

var _ hooks.Hook = (*Hook)(nil)

// String returns "webhook " and the scheme and host of the URL: what follows them may be a credential.
func (h *Hook) String() string { return "webhook " + h.host() }

func (h *Hook) host() string { return (&url.URL{Scheme: h.url.Scheme, Host: h.url.Host}).String() }

// Run sends the message of ev, and returns nil if the server answered with a 2xx. It retries as the package says.
func (h *Hook) Run(ctx context.Context, ev hooks.Event) error {
	text, err := h.body.Render(ev)
	if err == nil && h.json {
		err = isJSON(text)
	}
	if err != nil {
		return fmt.Errorf("cannot make the body for %s: %w", h.host(), err)
	}
	body, id := []byte(text), h.id(ev, text)
	build := func(ctx context.Context) (*http.Request, error) { return h.request(ctx, id, body) }
	if _, err := h.client.Send(ctx, build, request.Passing, h.hide...); err != nil {
		return fmt.Errorf("cannot send to %s: %w", h.host(), err)
	}
	return nil
}

func (h *Hook) request(ctx context.Context, id string, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, h.method, h.url.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if h.user != nil {
		password, _ := h.user.Password()
		req.SetBasicAuth(h.user.Username(), password)
	}
	req.Header.Set("Content-Type", "application/json")
	for key, value := range h.headers {
		req.Header.Set(key, value.Reveal())
		if http.CanonicalHeaderKey(key) == "Host" {
			req.Host = value.Reveal()
		}
	}
	req.Header.Set("Webhook-Id", id)
	if h.key != nil {
		timestamp := strconv.FormatInt(time.Now().Unix(), 10)
		req.Header.Set("Webhook-Timestamp", timestamp)
		req.Header.Set("Webhook-Signature", sign(h.key, id, timestamp, body))
	}
	return req, nil
}

// sign returns the symmetric signature of Standard Webhooks, version 1.
func sign(key []byte, id, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, key)
	_, _ = fmt.Fprintf(mac, "%s.%s.%s", id, timestamp, body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// id returns what tells this message from every other: where it is sent is part of it, since one chain may send the same
// to two places that share what they have seen.
func (h *Hook) id(ev hooks.Event, body string) string {
	sum := sha256.Sum256([]byte(h.url.String() + "\n" + body))
	return fmt.Sprintf("%s-%s-%s-%s", ev.UpdateID, ev.Phase, ev.Status, hex.EncodeToString(sum[:4]))
}

// isJSON says where text is no JSON. It shows nothing of it, since there may be a credential in it.
func isJSON(text string) error {
	var any json.RawMessage
	err := json.Unmarshal([]byte(text), &any)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		before := []byte(text)[:max(syntax.Offset-1, 0)]
		line := bytes.Count(before, []byte("\n")) + 1
		column := len(before) - bytes.LastIndexByte(before, '\n')
		return fmt.Errorf("it is no JSON at line %d, column %d: %w", line, column, err)
	}
	return err
}
