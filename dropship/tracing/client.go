package tracing

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/dropship/dropship/dropship/secret"
)

const (
	// sendTime is how long one batch of spans is tried to be sent.
	sendTime = time.Minute
	// requestTime is how long one request may take.
	requestTime = 10 * time.Second
	// Between two requests for the same batch.
	firstPause, longestPause = time.Second, 10 * time.Second
	// maxAnswer is how much of an answer is read, in bytes.
	maxAnswer = 64 << 10
)

// A client sends spans by OTLP over HTTP. It is the transport below the SDK's exporter: the one that comes with the SDK
// would add gRPC to the binary, follow redirects with the headers, and put what a server answers into errors.
type client struct {
	url     *url.URL // where requests go
	headers map[string]secret.String
	http    *http.Client
	trouble *trouble

	stopping chan struct{}   // closed: one more request for each batch, and no pause
	ctx      context.Context // ended: no request at all
	cancel   context.CancelFunc
}

var _ otlptrace.Client = (*client)(nil)

// newClient returns a client for an address that was checked. Roots are what a server's certificate is verified by; nil
// means those of the machine.
func newClient(address *url.URL, headers map[string]secret.String, roots *x509.CertPool, logger *slog.Logger) *client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if roots != nil {
		transport.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	c := &client{
		url: address, headers: headers, stopping: make(chan struct{}),
		http: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // which would get the headers
		},
	}
	c.trouble = &trouble{logger: logger, to: c.host()}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// host is the scheme and host of the server. There are services whose addresses have a credential in the path.
func (c *client) host() string { return (&url.URL{Scheme: c.url.Scheme, Host: c.url.Host}).String() }

// Start implements otlptrace.Client.
func (c *client) Start(context.Context) error { return nil }

// Stop implements otlptrace.Client.
func (c *client) Stop(context.Context) error { return nil }

// stop ends pauses, and repetitions.
func (c *client) stop() { close(c.stopping) }

// close is called when no request is under way any more.
func (c *client) close() {
	c.cancel()
	c.http.CloseIdleConnections()
	c.trouble.end()
}

// UploadTraces sends spans, until ctx ends, and logs if that fails: the error is always nil, or the SDK would print it.
func (c *client) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.ctx, cancel)()

	n := count(spans)
	// On the wire TracesData is the same as the request of the collector's service, whose package would bring gRPC.
	body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: spans})
	if err != nil {
		c.trouble.failed(err, n)
		return nil
	}
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		last := c.stops()
		rejected, err := c.send(ctx, body)
		if err == nil {
			if rejected > 0 {
				c.trouble.failed(fmt.Errorf("the server took %d spans of a request, and not the other %d; its log may say why", n-rejected, rejected), rejected)
			} else {
				c.trouble.over()
			}
			return nil
		}
		var later *laterError
		if last || !errors.As(err, &later) || ctx.Err() != nil {
			c.trouble.failed(err, n)
			return nil
		}
		c.trouble.failed(err, 0)
		if !c.pause(ctx, max(pause, later.after)) {
			c.trouble.failed(err, n)
			return nil
		}
	}
}

func (c *client) stops() bool {
	select {
	case <-c.stopping:
		return true
	default:
		return false
	}
}

// pause waits, or until the agent stops, and reports whether ctx has not ended in between.
func (c *client) pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.stopping:
	case <-ctx.Done():
		return false
	}
	return true
}

// A laterError is one that may not come again.
type laterError struct {
	error
	after time.Duration // not before that, as far as the server said
}

func (e *laterError) Unwrap() error { return e.error }

// send sends one request, and returns how many of its spans the server rejected. What a server answers is in no error:
// there are some that answer with what they were sent.
func (c *client) send(ctx context.Context, body []byte) (rejected int64, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, requestTime, fmt.Errorf("no answer within %s", requestTime))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url.String(), bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("User-Agent", "dropship")
	for key, value := range c.headers {
		req.Header.Set(key, value.Reveal())
		if http.CanonicalHeaderKey(key) == "Host" {
			req.Host = value.Reveal()
		}
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, &laterError{error: cause(ctx, err)}
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch code := resp.StatusCode; {
	case code == http.StatusTooManyRequests, code == http.StatusBadGateway, code == http.StatusServiceUnavailable, code == http.StatusGatewayTimeout:
		return 0, &laterError{fmt.Errorf("the server answered %s", resp.Status), retryAfter(resp.Header)}
	case code >= 300 && code < 400:
		return 0, fmt.Errorf("the server answered %s, and redirects are not followed: configure the address that it redirects to", resp.Status)
	case code < 200 || code >= 300:
		return 0, fmt.Errorf("the server answered %s", resp.Status)
	case err != nil || resp.Header.Get("Content-Type") != "application/x-protobuf":
		return 0, nil // it has them
	}
	return rejectedSpans(answer), nil
}

// cause returns what is behind an error of http.Client.Do, without the URL.
func cause(ctx context.Context, err error) error {
	if urlErr, ok := errors.AsType[*url.Error](err); ok {
		err = urlErr.Err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// retryAfter returns how long a server wants to be left alone; 0 if it did not say.
func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if at, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(at))
	}
	seconds, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return time.Duration(min(max(seconds, 0), int(sendTime/time.Second))) * time.Second
}

// rejectedSpans reads partial_success.rejected_spans, the field 1 in the field 1, of the answer to a request.
func rejectedSpans(answer []byte) int64 {
	partial, _ := field(answer, protowire.BytesType)
	_, n := field(partial, protowire.VarintType)
	return int64(n)
}

// field returns the last value of the field 1 of a message, where it is of that type.
func field(message []byte, want protowire.Type) (value []byte, n uint64) {
	for len(message) > 0 {
		number, kind, used := protowire.ConsumeField(message)
		if used < 0 {
			return value, n
		}
		_, _, tag := protowire.ConsumeTag(message)
		if number == 1 && kind == want {
			value, _ = protowire.ConsumeBytes(message[tag:])
			n, _ = protowire.ConsumeVarint(message[tag:])
		}
		message = message[used:]
	}
	return value, n
}

func count(spans []*tracepb.ResourceSpans) (n int64) {
	for _, r := range spans {
		for _, s := range r.ScopeSpans {
			n += int64(len(s.Spans))
		}
	}
	return n
}
