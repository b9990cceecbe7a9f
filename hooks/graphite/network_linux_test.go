package graphite_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/hookstest"
	"github.com/dropship/dropship/test/faultproxy"
	"github.com/dropship/dropship/test/servers"
)

// Whatever the network does, the real Graphite has an event at most once, an event that it may not have is an error,
// and the hook ends in its time.
func TestEventsOverABrokenNetwork(t *testing.T) {
	t.Parallel()
	graphite := servers.Get(t).Graphite.URL
	once := func(f faultproxy.Fault) func(*testing.T, *faultproxy.Proxy) string {
		return func(_ *testing.T, p *faultproxy.Proxy) string { p.Break(1, f, faultproxy.All); return p.URL }
	}
	always := func(f faultproxy.Fault) func(*testing.T, *faultproxy.Proxy) string {
		return func(_ *testing.T, p *faultproxy.Proxy) string { p.Break(-1, f, faultproxy.All); return p.URL }
	}
	for _, tt := range []struct {
		name   string
		breaks func(*testing.T, *faultproxy.Proxy) string // and returns the host
		events int
		err    string // empty: none
	}{
		{"cut before the event is sent on", once(faultproxy.Refuse()), 0, "EOF"},
		{"cut after the event was sent on", once(faultproxy.Lose()), 1, "EOF"},
		{"silence", once(faultproxy.Silence()), 0, "not done within its timeout of 3s"},
		{"silence in the answer", once(faultproxy.StatusStall(http.StatusOK)), 0, "not done within its timeout of 3s"},
		{"500 once", once(faultproxy.Status(http.StatusInternalServerError)), 1, ""},
		{"500 for ever", always(faultproxy.Status(http.StatusInternalServerError)), 0, "500"},
		{"502", once(faultproxy.Status(http.StatusBadGateway)), 0, "502"},
		{"503 once", once(faultproxy.Status(http.StatusServiceUnavailable, "Retry-After", "1")), 1, ""},
		{"503 for a year", always(faultproxy.Status(http.StatusServiceUnavailable, "Retry-After", "31536000")), 0, "503"},
		{"429 once", once(faultproxy.Status(http.StatusTooManyRequests, "Retry-After", "-1")), 1, ""},
		{"redirected for ever", always(faultproxy.Loop(http.StatusTemporaryRedirect)), 0, "307"},
		{"no HTTP", once(faultproxy.Raw("220 mail.example.com ESMTP\r\n\r\n")), 0, "malformed HTTP"},
		{
			"reset", func(_ *testing.T, p *faultproxy.Proxy) string { p.Down(); return p.URL },
			0, "cannot post an event",
		},
		{
			"no answer to SYN", func(t *testing.T, _ *faultproxy.Proxy) string { return "http://" + faultproxy.Unanswered(t) },
			0, "not done within its timeout of 3s",
		},
		{
			"unknown authority", func(t *testing.T, _ *faultproxy.Proxy) string {
				a, err := faultproxy.NewAuthority()
				if err != nil {
					t.Fatal(err)
				}
				c, err := a.Issue("127.0.0.1", time.Now().Add(time.Hour))
				if err != nil {
					t.Fatal(err)
				}
				return faultproxy.StartTLS(t, graphite, c).URL
			},
			0, "certificate signed by unknown authority",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			host := tt.breaks(t, faultproxy.Start(t, graphite))
			h := newHook(t, attributes+fmt.Sprintf("host = %q\nuser = \"ann\"\npassword = \"not-to-be-shown\"\n", host))
			ev := hookstest.Event(1)
			ev.Name = "network-" + hookstest.Unique()
			limit := 3 * time.Second
			if tt.events > 0 || strings.Contains(tt.err, "certificate") {
				limit = time.Minute // what comes to an end by itself may take its time on a busy machine
			}
			begin := time.Now()
			err := hooks.Chain{{Hook: h, Timeout: limit, OnError: hooks.Abort, When: hooks.Always}}.Run(t.Context(), 0, ev, hooks.Report{})
			if took := time.Since(begin); took > limit+30*time.Second {
				t.Errorf("took %s, want soon after %s at the latest", took, limit)
			}
			if (err == nil) != (tt.err == "") || !strings.Contains(fmt.Sprint(err), tt.err) || strings.Contains(fmt.Sprint(err), "not-to-be-shown") {
				t.Errorf("got error %v, want %q in it", err, tt.err)
			}
			if got := events(t, graphite, ev.Name); got != tt.events {
				t.Errorf("Graphite has %d events, want %d", got, tt.events)
			}
		})
	}
}

// events returns how many events with a tag Graphite has.
func events(t *testing.T, graphite, tag string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, graphite+"/events/get_data?tags="+url.QueryEscape(tag), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var all []any
	if err := json.NewDecoder(resp.Body).Decode(&all); err != nil {
		t.Fatal(err)
	}
	return len(all)
}
