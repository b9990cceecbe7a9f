// Package neterr is what repositories that speak HTTP do alike when a request fails.
package neterr

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/dropship/dropship/artifact/internal/transport"
)

// Cause returns what is behind the error of a request that was not answered, with the host where it happened, and as
// the end of ctx where that is what it is. The URL that net/http puts around it is left out: a redirect's may have a
// signature in its query.
func Cause(ctx context.Context, err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = explain(u)
	}
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		return fmt.Errorf("%w: %w", ended, err)
	}
	return err
}

func explain(u *url.Error) error {
	err := u.Err
	certificate, isCertificate := errors.AsType[x509.CertificateInvalidError](err)
	switch {
	case isCertificate && certificate.Reason == x509.Expired && time.Now().After(certificate.Cert.NotAfter):
		err = &explained{"the certificate expired on " + certificate.Cert.NotAfter.UTC().Format(time.RFC3339), err}
	case isCertificate && certificate.Reason == x509.Expired:
		err = &explained{"the certificate begins on " + certificate.Cert.NotBefore.UTC().Format(time.RFC3339) + ": is the clock of this machine right?", err}
	case err == io.EOF || err == io.ErrUnexpectedEOF: //nolint:errorlint // what net/http says bare, and nothing else
		err = &explained{"the connection was closed before there was an answer", err}
	default:
		err = late(err)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Addr != nil {
		return err // it names the address
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return err // it names the host
	}
	if at, perr := url.Parse(u.URL); perr == nil && at.Host != "" {
		return fmt.Errorf("%s: %w", at.Host, err)
	}
	return err
}

// late says of one of the limits in package transport that it was reached, and which. net/http exports none of its errors
// for these, so that only their words tell them apart; others stay what they are.
func late(err error) error {
	timeout, ok := errors.AsType[net.Error](err)
	if !ok || !timeout.Timeout() {
		return err
	}
	op, isOp := errors.AsType[*net.OpError](err)
	switch {
	case isOp && op.Op == "dial" && op.Addr != nil:
		return &explained{fmt.Sprintf("dial %s %s: no connection within %s", op.Net, op.Addr, transport.Connect), err}
	case strings.HasSuffix(err.Error(), ": timeout awaiting response headers"):
		return &explained{fmt.Sprintf("no answer within %s", transport.Answer), err}
	case strings.HasSuffix(err.Error(), ": TLS handshake timeout"):
		return &explained{fmt.Sprintf("no TLS handshake within %s", transport.Connect), err}
	}
	return err
}

// An explained error has words of ours in place of its cause's.
type explained struct {
	text string
	err  error
}

func (e *explained) Error() string { return e.text }
func (e *explained) Unwrap() error { return e.err }
