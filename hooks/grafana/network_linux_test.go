package grafana_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dropship/dropship/hooks/hookstest"
	"github.com/dropship/dropship/test/faultproxy"
)

// Whatever the network does, Grafana has an annotation at most once, one that it may not have is an error, and the hook
// ends in its time.
func TestAnnotationsOverABrokenNetwork(t *testing.T) {
	t.Parallel()
	broken := func(times int, f faultproxy.Fault) func(*testing.T, *faultproxy.Proxy) string {
		return func(_ *testing.T, p *faultproxy.Proxy) string { p.Break(times, f, faultproxy.All); return p.URL }
	}
	for _, tt := range []struct {
		name   string
		breaks func(*testing.T, *faultproxy.Proxy) string // and returns the address
		made   int
		err    string // empty: none
	}{
		{"cut before it is sent on", broken(1, faultproxy.Refuse()), 0, "EOF"},
		{"cut after it was sent on", broken(1, faultproxy.Lose()), 1, "EOF"},
		{"cut in the answer", broken(1, faultproxy.Cut(5)), 1, "unexpected EOF"},
		{"half an answer", broken(1, faultproxy.Short(5)), 1, "no id of one in the answer"},
		{"silence", broken(1, faultproxy.Silence()), 0, "not done within its timeout of 3s"},
		{"silence in the answer", broken(1, faultproxy.StatusStall(http.StatusOK)), 0, "not done within its timeout of 3s"},
		{"500", broken(1, faultproxy.Status(http.StatusInternalServerError)), 0, "500"},
		{"502", broken(1, faultproxy.Status(http.StatusBadGateway)), 0, "502"},
		{"503 once", broken(1, faultproxy.Status(http.StatusServiceUnavailable, "Retry-After", "1")), 1, ""},
		{"503 for a year", broken(-1, faultproxy.Status(http.StatusServiceUnavailable, "Retry-After", "31536000")), 0, "503"},
		{"429 once", broken(1, faultproxy.Status(http.StatusTooManyRequests, "Retry-After", "-1")), 1, ""},
		{"redirected for ever", broken(-1, faultproxy.Loop(http.StatusTemporaryRedirect)), 0, "307"},
		{"no HTTP", broken(1, faultproxy.Raw("220 mail.example.com ESMTP\r\n\r\n")), 0, "malformed HTTP"},
		{
			"reset", func(_ *testing.T, p *faultproxy.Proxy) string { p.Down(); return p.URL },
			0, "cannot make an annotation",
		},
		{
			"no answer to SYN", func(t *testing.T, _ *faultproxy.Proxy) string { return "http://" + faultproxy.Unanswered(t) },
			0, "not done within its timeout of 3s",
		},
		{
			"unknown authority", func(t *testing.T, p *faultproxy.Proxy) string {
				a, err := faultproxy.NewAuthority()
				if err != nil {
					t.Fatal(err)
				}
				c, err := a.Issue("127.0.0.1", time.Now().Add(time.Hour))
				if err != nil {
					t.Fatal(err)
				}
				return faultproxy.StartTLS(t, p.URL, c).URL
			},
			0, "certificate signed by unknown authority",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server, g := start(t, "", "Bearer not-to-be-shown")
			h := newHook(t, fmt.Sprintf("url = %q\ntoken = \"not-to-be-shown\"", tt.breaks(t, faultproxy.Start(t, server))))
			limit := 3 * time.Second
			if tt.made > 0 || strings.Contains(tt.err, "certificate") {
				limit = time.Minute // what comes to an end by itself may take its time on a busy machine
			}
			begin := time.Now()
			out, err := run(t, h, hookstest.Event(1), limit)
			if took := time.Since(begin); took > limit+30*time.Second {
				t.Errorf("took %s, want soon after %s at the latest", took, limit)
			}
			if (err == nil) != (tt.err == "") || !strings.Contains(fmt.Sprint(err), tt.err) || strings.Contains(fmt.Sprint(err, out), "not-to-be-shown") {
				t.Errorf("got error %v, want %q in it", err, tt.err)
			}
			if got := len(g.annotations()); got != tt.made {
				t.Errorf("there are %d annotations, want %d", got, tt.made)
			}
		})
	}
}
