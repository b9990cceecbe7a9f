// Package request sends a hook's request to an HTTP server, and sends it again where the hook says that this does no harm.
package request

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/dropship/dropship/hooks"
	"github.com/dropship/dropship/hooks/internal/answer"
)

const (
	attempts   = 5
	firstWait  = 500 * time.Millisecond // before the second attempt; it doubles
	tryTimeout = 10 * time.Second       // for one attempt
)

var errSlow = fmt.Errorf("no answer within %s", tryTimeout)

// A Client sends requests. It keeps no connection, for hooks that run once in a while, and follows no redirect: that
// would make a GET of most requests, and take what is in them to another host. Safe for concurrent use.
type Client struct{ http *http.Client }

// New returns a Client.
func New() *Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true
	return &Client{&http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Send sends what build makes, anew for each attempt, and returns the answer if that is a 2xx. Any other answer, or none,
// is an error; if again says so, the request is sent again: up to five times in all, each of which may take 10 s, with
// waits of half a second to four, and somewhat more by chance, so that machines do not knock in step. A longer wait that
// the answer asks for (Retry-After) is kept. It gives up at once where ctx ends before the wait would.
//
// again gets the answer, a zero one where there was none, and the error. How each attempt went is written to
// hooks.Output. Of an answer nothing is shown that is in hide.
func (c *Client) Send(ctx context.Context, build func(context.Context) (*http.Request, error), again func(answer.Answer, error) bool, hide ...string) (answer.Answer, error) {
	wait := firstWait
	for n := 1; ; n++ {
		a, err := c.try(ctx, build, hide)
		if err == nil {
			fmt.Fprintln(hooks.Output(ctx), a)
			return a, nil
		}
		fmt.Fprintf(hooks.Output(ctx), "attempt %d: %v\n", n, err)
		if n > 1 {
			err = fmt.Errorf("%w (attempt %d)", err, n)
		}
		if ctx.Err() != nil || n == attempts || !again(a, err) {
			return a, err
		}
		if err := pause(ctx, max(wait+rand.N(wait/4), retryAfter(a)), err); err != nil {
			return a, err
		}
		wait *= 2
	}
}

// pause waits before the next attempt. It returns an error, with the failure of the last one, if there is no time for that.
func pause(ctx context.Context, wait time.Duration, failure error) error {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < wait {
		return fmt.Errorf("%w: the next attempt would be in %s, after the timeout", failure, wait.Round(time.Second/10))
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return fmt.Errorf("%w: stopped while waiting for the next attempt: %w", context.Cause(ctx), failure)
	case <-timer.C:
		return nil
	}
}

func (c *Client) try(ctx context.Context, build func(context.Context) (*http.Request, error), hide []string) (answer.Answer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, tryTimeout, errSlow)
	defer cancel()
	req, err := build(ctx)
	if err != nil {
		return answer.Answer{}, answer.Cause(ctx, err)
	}
	req.Header.Set("User-Agent", "dropship")
	resp, err := c.http.Do(req)
	if err != nil {
		return answer.Answer{}, answer.Cause(ctx, err)
	}
	defer resp.Body.Close()
	a, err := answer.Read(resp, hide...)
	switch {
	case err != nil:
		return answer.Answer{}, answer.Cause(ctx, err)
	case a.Code/100 == 3:
		return a, fmt.Errorf("%s, to %s: redirects are not followed, correct the url", a.Status, host(resp))
	case a.Code/100 != 2:
		return a, errors.New(a.String())
	}
	return a, nil
}

// host returns where a redirect leads, without the path, which may be as much of a credential as the first one.
func host(resp *http.Response) string {
	u, err := resp.Location()
	if err != nil {
		return "nowhere"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host}).String()
}

// retryAfter returns the wait that an answer asks for, in seconds or by a date; 0 if it does not.
func retryAfter(a answer.Answer) time.Duration {
	text := a.Header.Get("Retry-After")
	if seconds, err := strconv.ParseInt(text, 10, 32); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return time.Until(at)
	}
	return 0
}

// Passing says of a failure whether the next attempt may well succeed, when it does no harm that the server gets a request
// twice: 429, 5xx, or a connection that could not be made or broke.
func Passing(a answer.Answer, err error) bool {
	if a.Code != 0 {
		return a.Code == http.StatusTooManyRequests || a.Code >= 500
	}
	var untrusted *tls.CertificateVerificationError
	return !errors.As(err, &untrusted)
}

// NotTaken says of a failure whether the server surely did nothing of what was asked, and may do it next time: no
// connection could be made, or the answer was 429 or 503.
func NotTaken(a answer.Answer, err error) bool {
	var op *net.OpError
	return a.Code == http.StatusTooManyRequests || a.Code == http.StatusServiceUnavailable ||
		errors.As(err, &op) && op.Op == "dial"
}
