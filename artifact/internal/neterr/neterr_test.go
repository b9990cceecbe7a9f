package neterr_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/dropship/dropship/artifact/internal/neterr"
)

func TestCause(t *testing.T) {
	t.Parallel()
	certificate := func(from, until time.Time) error {
		c := &x509.Certificate{NotBefore: from, NotAfter: until}
		return &tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Cert: c, Reason: x509.Expired}}
	}
	day := func(year int) time.Time { return time.Date(year, 1, 2, 3, 4, 5, 0, time.UTC) }
	dial := &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9}, Err: errors.New("refused")}
	const address = "https://user:pass@example.com:8443/a?signature=secret"
	for _, tt := range []struct {
		err  error
		want string
	}{
		{certificate(day(2001), day(2002)), "example.com:8443: the certificate expired on 2002-01-02T03:04:05Z"},
		{certificate(day(2901), day(2902)), "example.com:8443: the certificate begins on 2901-01-02T03:04:05Z: is the clock of this machine right?"},
		{io.EOF, "example.com:8443: the connection was closed before there was an answer"},
		{io.ErrUnexpectedEOF, "example.com:8443: the connection was closed before there was an answer"},
		{errors.New("something else"), "example.com:8443: something else"},
		{dial, "dial tcp 127.0.0.1:9: refused"},
		{&net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")}, "example.com:8443: remote error: tls: bad certificate"},
	} {
		got := neterr.Cause(t.Context(), fmt.Errorf("around: %w", &url.Error{Op: "Get", URL: address, Err: tt.err}))
		if got.Error() != tt.want || !errors.Is(got, tt.err) && !errors.As(got, new(x509.CertificateInvalidError)) {
			t.Errorf("got %q, want %q and its cause", got, tt.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := neterr.Cause(ctx, &url.Error{URL: address, Err: io.EOF}); !errors.Is(got, context.Canceled) || !errors.Is(got, io.EOF) {
		t.Errorf("got %v, want that ctx ended and why the request did", got)
	}
}
