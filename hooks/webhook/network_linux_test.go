package webhook_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/hookstest"
	"github.com/dropship/dropship/test/faultproxy"
)

// Whatever the network does, a message that no error tells of has come, however often it did it has one id, and the hook
// ends in its time.
func TestMessagesOverABrokenNetwork(t *testing.T) {
	t.Parallel()
	broken := func(times int, f faultproxy.Fault) func(*testing.T, *faultproxy.Proxy) string {
		return func(_ *testing.T, p *faultproxy.Proxy) string { p.Break(times, f, faultproxy.All); return p.URL }
	}
	for _, tt := range []struct {
		name   string
		breaks func(*testing.T, *faultproxy.Proxy) string // and returns the address
		came   int
		err    string // empty: none
	}{
		{"cut before the message is sent on", broken(1, faultproxy.Refuse()), 1, ""},
		{"cut after the message was sent on", broken(1, faultproxy.Lose()), 2, ""},
		{"cut for ever", broken(-1, faultproxy.Refuse()), 0, "after the timeout"},
		{"silence", broken(1, faultproxy.Silence()), 0, "not done within its timeout of 3s"},
		{"silence in the answer", broken(1, faultproxy.StatusStall(http.StatusOK)), 0, "not done within its timeout of 3s"},
		{"500 once", broken(1, faultproxy.Status(http.StatusInternalServerError)), 1, ""},
		{"502 for ever", broken(-1, faultproxy.Status(http.StatusBadGateway)), 0, "502"},
		{"503 for a second", broken(1, faultproxy.Status(http.StatusServiceUnavailable, "Retry-After", "1")), 1, ""},
		{"429 for a year", broken(-1, faultproxy.Status(http.StatusTooManyRequests, "Retry-After", "31536000")), 0, "429"},
		{"404", broken(1, faultproxy.Status(http.StatusNotFound)), 0, "404"},
		{"redirected for ever", broken(-1, faultproxy.Loop(http.StatusTemporaryRedirect)), 0, "307"},
		{"no HTTP once", broken(1, faultproxy.Raw("220 mail.example.com ESMTP\r\n\r\n")), 1, ""},
		{
			"reset", func(_ *testing.T, p *faultproxy.Proxy) string { p.Down(); return p.URL },
			0, "cannot send to http://127.0.0.1:",
		},
		{
			"no answer to SYN", func(t *testing.T, _ *faultproxy.Proxy) string { return "http://" + faultproxy.Unanswered(t) },
			0, "not done within its timeout of 3s",
		},
		{
			"no such host", func(*testing.T, *faultproxy.Proxy) string { return "http://receiver.invalid" },
			0, "receiver.invalid",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			receiver, got := receive(t, ok)
			url := tt.breaks(t, faultproxy.Start(t, receiver))
			h := newHook(t, fmt.Sprintf("url = %q\nsecret = %q\nheaders = { X-Key = \"planted-header\" }", url+"/services/planted-path?sig=planted-query", key))
			limit := 3 * time.Second
			if tt.came > 0 {
				limit = time.Minute // what is to arrive may take its time on a busy machine
			}
			begin := time.Now()
			err := hooks.Chain{{Hook: h, Timeout: limit, OnError: hooks.Abort, When: hooks.Always}}.Run(t.Context(), 0, hookstest.Event(1), hooks.Report{})
			if took := time.Since(begin); took > limit+30*time.Second {
				t.Errorf("took %s, want soon after %s at the latest", took, limit)
			}
			if (err == nil) != (tt.err == "") || !strings.Contains(fmt.Sprint(err), tt.err) || strings.Contains(fmt.Sprint(err), "planted") {
				t.Errorf("got error %v, want %q in it", err, tt.err)
			}
			requests := got()
			if len(requests) != tt.came {
				t.Fatalf("the receiver has %d messages, want %d", len(requests), tt.came)
			}
			for _, r := range requests {
				if id, first := r.Header.Get("webhook-id"), requests[0].Header.Get("webhook-id"); id != first || id == "" {
					t.Errorf("got the ids %q and %q of one message", first, id)
				}
			}
		})
	}
}

// A certificate that nobody vouches for will be no better in a second: there is one attempt, and nothing is sent.
func TestUnknownAuthority(t *testing.T) {
	t.Parallel()
	receiver, got := receive(t, ok)
	authority, err := faultproxy.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := authority.Issue("127.0.0.1", time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	proxy := faultproxy.StartTLS(t, receiver, certificate)
	out, err := output(t, newHook(t, `url = "`+proxy.URL+`/planted-path"`), hookstest.Event(1))
	if err == nil || !strings.Contains(err.Error(), "certificate signed by unknown authority") {
		t.Errorf("got %v, want the certificate to be refused", err)
	}
	if strings.Count(out, "attempt") != 1 || len(got()) != 0 || strings.Contains(fmt.Sprint(err, out), "planted") {
		t.Errorf("got %q, %v and %d messages, want one attempt and no message", out, err, len(got()))
	}
}
