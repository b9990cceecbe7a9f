package faultproxy_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"github.com/dropship/dropship/test/faultproxy"
)

var content = bytes.Repeat([]byte("0123456789abcdef"), 1<<12)

// get asks through a proxy by a connection of its own and returns what came of it.
func get(t *testing.T, p *faultproxy.Proxy, within time.Duration, roots *x509.CertPool) (int, []byte, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots}}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, b, err
}

func server(t *testing.T) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(content)))
		_, _ = w.Write(content)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// Each fault does to a client what it says, and the answer after it is whole again.
func TestFaults(t *testing.T) {
	t.Parallel()
	target := server(t)
	flipped := bytes.Clone(content)
	flipped[10] ^= 1
	for _, tt := range []struct {
		fault  faultproxy.Fault
		within time.Duration
		code   int
		body   []byte // nil: whatever the answer says
		err    error  // in the chain; nil: none
	}{
		{fault: faultproxy.Status(503, "Retry-After", "7"), code: 503},
		{fault: faultproxy.StatusStall(500), within: 2 * time.Second, code: 500, body: []byte("<"), err: context.DeadlineExceeded},
		{fault: faultproxy.Silence(), within: time.Second, err: context.DeadlineExceeded},
		{fault: faultproxy.Refuse(), err: io.EOF},
		{fault: faultproxy.Lose(), err: io.EOF},
		{fault: faultproxy.Cut(100), code: 200, body: content[:100], err: io.ErrUnexpectedEOF},
		{fault: faultproxy.Reset(100), err: syscall.ECONNRESET},
		{fault: faultproxy.Short(100), code: 200, body: content[:100]},
		{fault: faultproxy.Unsized(100), code: 200, body: content[:100]},
		{fault: faultproxy.Flip(10), code: 200, body: flipped},
		{fault: faultproxy.Stall(100), within: 2 * time.Second, code: 200, body: content[:100], err: context.DeadlineExceeded},
		{fault: faultproxy.Raw("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), code: 200, body: []byte("ok")},
	} {
		t.Run(tt.fault.String(), func(t *testing.T) {
			t.Parallel()
			p := faultproxy.Start(t, target)
			p.Break(1, tt.fault, nil)
			within := tt.within
			if within == 0 {
				within = time.Minute
			}
			code, body, err := get(t, p, within, nil)
			// A reset may overtake even the headers.
			if tt.err == nil && err != nil || !errors.Is(err, tt.err) || tt.code != 0 && code != tt.code || tt.body != nil && !bytes.Equal(body, tt.body) {
				t.Errorf("got status %d, %d bytes, error %v; want %d, %d, %v", code, len(body), err, tt.code, len(tt.body), tt.err)
			}
			if code, body, err := get(t, p, time.Minute, nil); code != 200 || !bytes.Equal(body, content) {
				t.Errorf("afterwards: got status %d, %d bytes, error %v", code, len(body), err)
			}
		})
	}
}

func TestTrickle(t *testing.T) {
	t.Parallel()
	p := faultproxy.Start(t, server(t))
	p.Break(1, faultproxy.Trickle(1, 20*time.Millisecond), nil)
	if _, body, err := get(t, p, 500*time.Millisecond, nil); !errors.Is(err, context.DeadlineExceeded) || len(body) == 0 || len(body) > 25 {
		t.Errorf("got %d bytes and error %v in half a second of a byte each 20ms", len(body), err)
	}
}

func TestLink(t *testing.T) {
	t.Parallel()
	p := faultproxy.Start(t, server(t))
	works := func() bool {
		code, body, err := get(t, p, time.Minute, nil)
		return err == nil && code == 200 && bytes.Equal(body, content)
	}
	if !works() {
		t.Fatal("it does not work to begin with")
	}
	if sent := p.Sent(); sent < int64(len(content)) || sent > int64(len(content))+1000 {
		t.Errorf("%d bytes count as sent, want %d and some headers", sent, len(content))
	}
	p.Down()
	if works() {
		t.Error("it works while the link is down")
	}
	p.Mute()
	if _, _, err := get(t, p, 200*time.Millisecond, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("mute: got error %v, want a timeout", err)
	}
	p.Flap(50*time.Millisecond, 50*time.Millisecond)
	seen := map[bool]bool{}
	for deadline := time.Now().Add(time.Minute); len(seen) < 2; {
		if seen[works()] = true; time.Now().After(deadline) {
			t.Fatalf("flapping, it worked: %v; want both", seen)
		}
	}
	p.Up()
	for range 5 {
		if !works() {
			t.Error("it does not work after Up")
		}
	}
}

func TestUnanswered(t *testing.T) {
	t.Parallel()
	c, err := (&net.Dialer{Timeout: 300 * time.Millisecond}).DialContext(t.Context(), "tcp", faultproxy.Unanswered(t))
	if err == nil {
		c.Close()
	}
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("got error %v, want a timeout", err)
	}
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	a, err := faultproxy.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(a.PEM)
	for host, good := range map[string]bool{"127.0.0.1": true, "elsewhere.example.com": false} {
		for name, until := range map[string]time.Time{"good": time.Now().Add(time.Hour), "expired": time.Now().Add(-time.Hour)} {
			c, err := a.Issue(host, until)
			if err != nil {
				t.Fatal(err)
			}
			_, body, err := get(t, faultproxy.StartTLS(t, server(t), c), time.Minute, roots)
			if ok := err == nil && bytes.Equal(body, content); ok != (good && name == "good") {
				t.Errorf("%s, %s: got %d bytes and error %v", host, name, len(body), err)
			}
		}
	}
}
