package answer_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/dropship/dropship/hooks/internal/answer"
)

func response(t *testing.T, body string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("user", "basic+password")
	return &http.Response{
		StatusCode: http.StatusServiceUnavailable, Status: "503 Service Unavailable", Request: req, Body: io.NopCloser(strings.NewReader(body)),
	}
}

func TestAnswerString(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, body, want string }{
		{"empty", " \n", "503 Service Unavailable"},
		{"short", "db down\n", `503 Service Unavailable: "db down"`},
		{"long", strings.Repeat("x", 300), `503 Service Unavailable: "` + strings.Repeat("x", 200) + `…"`},
		{"cut in a rune", strings.Repeat("x", 199) + "ä", `503 Service Unavailable: "` + strings.Repeat("x", 199) + `…"`},
		{"secret", "got s3cret/key and s3cret%2Fkey", `503 Service Unavailable: "got (redacted) and (redacted)"`},
		{"secret at the cut", strings.Repeat("x", 195) + "s3cret/key", `503 Service Unavailable: "` + strings.Repeat("x", 195) + `(reda…"`},
		{"basic authentication", "Authorization: Basic dXNlcjpiYXNpYytwYXNzd29yZA== basic+password", `503 Service Unavailable: "Authorization: Basic (redacted) (redacted)"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, err := answer.Read(response(t, tt.body), "s3cret/key", "")
			if err != nil {
				t.Fatal(err)
			}
			if got := a.String(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestReadStopsAtAMebibyte(t *testing.T) {
	t.Parallel()
	a, err := answer.Read(response(t, strings.Repeat("x", 3<<20)))
	if err != nil || len(a.Body) != 1<<20 {
		t.Errorf("got %d bytes, %v, want 1 MiB", len(a.Body), err)
	}
}

func TestCause(t *testing.T) {
	t.Parallel()
	inner := errors.New("connection refused")
	err := answer.Cause(t.Context(), &url.Error{Op: "Get", URL: "http://host/?token=secret", Err: inner})
	if got, want := err.Error(), "connection refused"; got != want || !errors.Is(err, inner) {
		t.Errorf("got %q, want %q", got, want)
	}
	errLost := errors.New("slot lost")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errLost)
	err = answer.Cause(ctx, &url.Error{Op: "Get", URL: "http://host/", Err: context.Canceled})
	if got, want := err.Error(), "slot lost: context canceled"; got != want || !errors.Is(err, errLost) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %q, want %q", got, want)
	}
}
