package neterr_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/dropship/dropship/artifact/internal/neterr"
)

// What net/http says of its limits is told in our words, by name of the limit, and names the host once.
func TestLimitsThatWereReached(t *testing.T) {
	t.Parallel()
	hang := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	plain := httptest.NewServer(hang)
	second := httptest.NewUnstartedServer(hang)
	second.EnableHTTP2 = true
	second.StartTLS()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		silent.Close()
		plain.Close()
		second.Close()
	})
	overHTTP2 := second.Client().Transport.(*http.Transport).Clone()
	overHTTP2.ResponseHeaderTimeout = 10 * time.Millisecond
	for _, tt := range []struct {
		name, url string
		by        *http.Transport
		want      string
	}{
		{"an answer", plain.URL, &http.Transport{ResponseHeaderTimeout: 10 * time.Millisecond}, "no answer within 30s"},
		{"an answer over HTTP/2", second.URL, overHTTP2, "no answer within 30s"},
		{"TLS", "https://" + silent.Addr().String(), &http.Transport{TLSHandshakeTimeout: 10 * time.Millisecond}, "no TLS handshake within 10s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := get(t.Context(), tt.by, tt.url)
			u, uerr := url.Parse(tt.url)
			if uerr != nil {
				t.Fatal(uerr)
			}
			if got, want := neterr.Cause(t.Context(), err).Error(), u.Host+": "+tt.want; got != want {
				t.Errorf("got %q, want %q (from %v)", got, want, err)
			}
		})
	}
}

// A host without an address is named once, too.
func TestHostThatIsNotThere(t *testing.T) {
	t.Parallel()
	got := neterr.Cause(t.Context(), get(t.Context(), &http.Transport{}, "http://nowhere.invalid/a")).Error()
	if strings.Count(got, "nowhere.invalid") != 1 {
		t.Errorf("got %q, want the host once", got)
	}
}

func get(ctx context.Context, by *http.Transport, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{Transport: by}).Do(req)
	if err == nil {
		resp.Body.Close()
	}
	return err
}
