package request_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/internal/answer"
	"github.com/dropship/dropship/hooks/internal/request"
)

// A script is a server that answers as it is told to: n is the number of the request, from 1.
type script func(n int, r *http.Request) (*http.Response, error)

// A recorder notes when each request came, in time since the first one.
type recorder struct {
	script script
	begin  time.Time
	at     []time.Duration
}

func (s *recorder) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.begin.IsZero() {
		s.begin = time.Now()
	}
	s.at = append(s.at, time.Since(s.begin))
	resp, err := s.script(len(s.at), r)
	if resp != nil {
		resp.Request = r
	}
	return resp, err
}

func says(code int, header ...string) (*http.Response, error) {
	h := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	status := fmt.Sprintf("%d %s", code, http.StatusText(code))
	return &http.Response{StatusCode: code, Status: status, Header: h, Body: io.NopCloser(strings.NewReader("said"))}, nil
}

func get(ctx context.Context) (*http.Request, error) {
	return http.NewRequestWithContext(ctx, http.MethodGet, "http://example.com/secret", nil)
}

func TestSend(t *testing.T) {
	t.Parallel()
	const limit = 60 * time.Second
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	always := func(code int, header ...string) script {
		return func(int, *http.Request) (*http.Response, error) { return says(code, header...) }
	}
	waits := []time.Duration{0, 500 * time.Millisecond, 1500 * time.Millisecond, 3500 * time.Millisecond, 7500 * time.Millisecond}
	tests := []struct {
		name   string
		script script
		at     []time.Duration // the earliest; each comes at most a quarter of the time since the first one later
		err    string          // empty: none
	}{
		{"taken", always(204), waits[:1], ""},
		{"busy, then taken", func(n int, _ *http.Request) (*http.Response, error) { return says([]int{429, 500, 200}[n-1]) }, waits[:3], ""},
		{"busy for too long", always(503), waits, `503 Service Unavailable: "said" (attempt 5)`},
		{"refused", always(403), waits[:1], `403 Forbidden: "said"`},
		{"no connection", func(int, *http.Request) (*http.Response, error) { return nil, refused }, waits, "dial tcp: connection refused (attempt 5)"},
		{"asks for a while", func(n int, _ *http.Request) (*http.Response, error) {
			if n == 1 {
				return says(429, "Retry-After", "40")
			}
			return says(200)
		}, []time.Duration{0, 40 * time.Second}, ""},
		{"asks for a while, by a date", func(n int, _ *http.Request) (*http.Response, error) {
			if n == 1 {
				return says(503, "Retry-After", time.Now().Add(30*time.Second).UTC().Format(http.TimeFormat))
			}
			return says(200)
		}, []time.Duration{0, 29 * time.Second}, ""},
		{"asks for less", func(n int, _ *http.Request) (*http.Response, error) {
			if n == 1 {
				return says(429, "Retry-After", "-5")
			}
			return says(200)
		}, waits[:2], ""},
		{"asks for too long", always(429, "Retry-After", "61"), waits[:1], `429 Too Many Requests: "said": the next attempt would be in 1m1s, after the timeout`},
		{"asks for what is no wait", always(429, "Retry-After", "99999999999999999999"), waits, `429 Too Many Requests: "said" (attempt 5)`},
		{
			"silent", func(_ int, r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				return nil, r.Context().Err()
			},
			[]time.Duration{0, 10500 * time.Millisecond, 21500 * time.Millisecond, 33500 * time.Millisecond, 47500 * time.Millisecond},
			"no answer within 10s: context deadline exceeded (attempt 5)",
		},
		{
			"untrusted", func(int, *http.Request) (*http.Response, error) {
				return nil, &tls.CertificateVerificationError{Err: errors.New("by nobody")}
			}, waits[:1], "tls: failed to verify certificate: by nobody",
		},
		{
			"redirected", always(307, "Location", "https://user:secret@other.example.com/secret?secret"), waits[:1],
			"307 Temporary Redirect, to https://other.example.com: redirects are not followed, correct the url",
		},
		{"redirected to nowhere", always(302), waits[:1], "302 Found, to nowhere: redirects are not followed, correct the url"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), limit)
				defer cancel()
				server := &recorder{script: tt.script}
				a, err := request.Over(server).Send(ctx, get, request.Passing)
				if got := fmt.Sprint(err); tt.err != "" && got != tt.err || tt.err == "" && (err != nil || a.Code/100 != 2) {
					t.Errorf("got %s, %v, want error %q", a, err, tt.err)
				}
				if len(server.at) != len(tt.at) {
					t.Fatalf("got requests at %s, want them at %s", server.at, tt.at)
				}
				for i, got := range server.at {
					if latest := tt.at[i] + max(tt.at[i], time.Second)/4; got < tt.at[i] || got > latest {
						t.Errorf("request %d at %s, want it between %s and %s", i+1, got, tt.at[i], latest)
					}
				}
			})
		})
	}
}

func TestSendEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		errLost := errors.New("slot lost")
		ctx, cancel := context.WithCancelCause(t.Context())
		server := &recorder{script: func(int, *http.Request) (*http.Response, error) {
			time.AfterFunc(100*time.Millisecond, func() { cancel(errLost) })
			return says(503)
		}}
		_, err := request.Over(server).Send(ctx, get, request.Passing)
		if !errors.Is(err, errLost) || !strings.Contains(err.Error(), "503") || time.Since(server.begin) != 100*time.Millisecond {
			t.Errorf("got %v after %s, want the cause and the answer after 100ms", err, time.Since(server.begin))
		}
	})
}

// What each attempt came to is kept for whoever looks into the update, without what is to be hidden.
func TestSendWritesOutput(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &recorder{script: func(n int, _ *http.Request) (*http.Response, error) {
			resp, _ := says([]int{500, 200}[n-1])
			resp.Body = io.NopCloser(strings.NewReader("got the-secret\nfrom you"))
			return resp, nil
		}}
		var got string
		chain := hooks.Chain{{Hook: sender{request.Over(server)}, Timeout: time.Minute}}
		if err := chain.Run(t.Context(), 0, hooks.Event{}, hooks.Report{End: func(_ int, ran hooks.Ran) { got = ran.Output }}); err != nil {
			t.Fatal(err)
		}
		want := `attempt 1: 500 Internal Server Error: "got (redacted)\nfrom you"` + "\n" + `200 OK: "got (redacted)\nfrom you"` + "\n"
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

type sender struct{ client *request.Client }

func (s sender) String() string { return "sender" }

func (s sender) Run(ctx context.Context, _ hooks.Event) error {
	_, err := s.client.Send(ctx, get, request.Passing, "the-secret")
	return err
}

func TestNotTaken(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		code int
		err  error
		want bool
	}{
		{429, nil, true},
		{503, nil, true},
		{500, nil, false},
		{502, nil, false},
		{403, nil, false},
		{0, fmt.Errorf("x: %w", &net.OpError{Op: "dial", Err: errors.New("refused")}), true},
		{0, &net.OpError{Op: "read", Err: errors.New("reset")}, false},
		{0, io.EOF, false},
	} {
		if got := request.NotTaken(answer.Answer{Code: tt.code}, tt.err); got != tt.want {
			t.Errorf("%d, %v: got %t, want %t", tt.code, tt.err, got, tt.want)
		}
	}
}
