package transport_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dropship/dropship/artifact/internal/transport"
)

// A slow server answers each request after a while.
type slow struct {
	takes     time.Duration
	now, most atomic.Int32
}

func (s *slow) RoundTrip(req *http.Request) (*http.Response, error) {
	defer s.now.Add(-1)
	for n := s.now.Add(1); ; {
		most := s.most.Load()
		if n <= most || s.most.CompareAndSwap(most, n) {
			break
		}
	}
	select {
	case <-time.After(s.takes):
		return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: req}, nil
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
}

func send(ctx context.Context, by http.RoundTripper, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, url, nil)
	if err != nil {
		return err
	}
	resp, err := by.RoundTrip(req)
	if err == nil {
		resp.Body.Close()
	}
	return err
}

func TestAFewSmallRequestsAtATimeToEachHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &slow{takes: time.Second}
		b := transport.Bound(server)
		done := make(chan error, 1000)
		began := time.Now()
		for i := range 1000 {
			go func() {
				ctx, cancel := transport.WithDeadline(t.Context())
				defer cancel()
				done <- send(ctx, b, []string{"http://one.example.com/", "http://two.example.com/"}[i%2])
			}()
		}
		for range 1000 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if got := server.most.Load(); got != 2*transport.AtOnce {
			t.Errorf("%d requests were under way at a time, want %d to each of two hosts", got, transport.AtOnce)
		}
		if took, want := time.Since(began), 16*time.Second; took != want {
			t.Errorf("500 requests of a second to each host took %s, want %s: %d at a time", took, want, transport.AtOnce)
		}
	})
}

// A thousand services, and their server hangs: each learns of it as soon as one alone would.
func TestAHungServerHoldsUpNobodyLongerThanTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &slow{takes: time.Hour}
		b := transport.Bound(server)
		done := make(chan error, 1000)
		began := time.Now()
		for range 1000 {
			go func() {
				ctx, cancel := transport.WithDeadline(t.Context())
				defer cancel()
				done <- send(ctx, b, "http://example.com/")
			}()
		}
		for range 1000 {
			if err := <-done; err == nil {
				t.Error("a request succeeds that was not answered")
			}
		}
		if took := time.Since(began); took != transport.Whole {
			t.Errorf("the last one failed after %s, want %s", took, transport.Whole)
		}
		synctest.Wait()
		server.takes = time.Second // it is back
		ctx, cancel := transport.WithDeadline(t.Context())
		defer cancel()
		began = time.Now()
		if err := send(ctx, b, "http://example.com/"); err != nil || time.Since(began) != time.Second {
			t.Errorf("got %v after %s, want an answer within a second of a server that is back", err, time.Since(began))
		}
	})
}

func TestDownloadsWaitForNoChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := transport.Bound(&slow{takes: time.Second})
		for range 10 * transport.AtOnce {
			go func() {
				ctx, cancel := transport.WithDeadline(t.Context())
				defer cancel()
				_ = send(ctx, b, "http://example.com/")
			}()
		}
		synctest.Wait()
		began := time.Now()
		if err := send(t.Context(), b, "http://example.com/"); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("a download began %s late", took-time.Second)
		}
	})
}
