package artifacttest_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/artifacttest"
	"github.com/dropship/dropship/test/faultproxy"
)

// bound is how long anything may take here that fails: all limits of these tests together, on a busy machine.
const bound = 30 * time.Second

// A broken is a way to a server: a link or an answer that breaks each request.
type broken struct {
	name   string
	breaks func(p *faultproxy.Proxy)
	want   []string      // one of these is in the error
	after  time.Duration // for how long the server is left alone then
}

func answers(f faultproxy.Fault, want ...string) broken {
	return broken{name: f.String(), want: want, breaks: func(p *faultproxy.Proxy) { p.Break(-1, f, faultproxy.All) }}
}

func busy(after time.Duration, code int, header string) broken {
	b := answers(faultproxy.Status(code, "Retry-After", header), "asks to be left alone for ")
	b.after = after
	return b
}

var brokenWays = []broken{
	{
		name: "link down", want: []string{"connection reset by peer", "was closed before there was an answer", "broken pipe"},
		breaks: (*faultproxy.Proxy).Down,
	},
	{
		name: "link mute", want: []string{"no answer within"},
		breaks: (*faultproxy.Proxy).Mute,
	},
	answers(faultproxy.Silence(), "no answer within", "no complete answer within"),
	answers(faultproxy.Refuse(), "was closed before there was an answer"),
	answers(faultproxy.Lose(), "was closed before there was an answer"),
	answers(faultproxy.Status(http.StatusInternalServerError), "500"),
	answers(faultproxy.Status(http.StatusBadGateway), "502"),
	answers(faultproxy.Status(http.StatusServiceUnavailable), "503"),
	answers(faultproxy.Status(http.StatusTooManyRequests), "429"),
	answers(faultproxy.Status(http.StatusTooManyRequests, "Retry-After", "-60"), "429"),
	answers(faultproxy.StatusStall(http.StatusServiceUnavailable), "503", "no complete answer within", "no answer within"),
	busy(7*time.Second, http.StatusServiceUnavailable, "7"),
	busy(artifact.MaxRetryAfter, http.StatusTooManyRequests, "31536000"),
	busy(artifact.MaxRetryAfter, http.StatusServiceUnavailable, "Fri, 31 Dec 9999 23:59:59 GMT"),
	answers(faultproxy.Loop(http.StatusFound), "redirects", "302"),
	answers(faultproxy.Loop(http.StatusTemporaryRedirect), "redirects", "307", "refuses the request"),
	answers(faultproxy.Raw("220 mail.example.com ESMTP\r\n\r\n"), "malformed HTTP"),
	answers(faultproxy.Raw("HTTP/1.1 200 OK\r\nContent-Le"), "missing colon"),
	answers(faultproxy.Raw("HTTP/1.1 200 OK\r\n"), "connection broken: unexpected EOF"),
	answers(faultproxy.Raw("HTTP/1.1 200 OK\r\n\x00\xff: \r\n\r\n"), "malformed MIME header"),
}

// Every way in which a check can fail ends it in bounded time, with an error that says what happened, that takes no
// artifact for absent and shows no credential; and when the network is back the same source goes on.
func TestChecksOverABrokenNetwork(t *testing.T) {
	t.Parallel()
	for _, k := range kinds(t) {
		want := noise(100_000)
		k.publish("a.tar", want)
		for _, way := range brokenWays {
			t.Run(k.name+"/"+way.name, func(t *testing.T) {
				t.Parallel()
				p := faultproxy.Start(t, k.url)
				src := k.source(t, "a.tar", p.URL)
				info := k.awaitStat(t, src)
				way.breaks(p)
				for what, call := range map[string]func(context.Context) error{
					"Stat":      func(ctx context.Context) error { _, err := src.Stat(ctx); return err },
					"Checksums": func(ctx context.Context) error { _, err := src.Checksums(ctx, info); return err },
				} {
					if k.name == "Swift" && what == "Checksums" {
						continue // a plain object has its md5 from Stat
					}
					err := k.failsInTime(t, src, what, call, way.want...)
					if got := artifact.RetryAfter(err); got < way.after || got > way.after+way.after/10 {
						t.Errorf("%s: RetryAfter is %s, want %s and up to a tenth", what, got, way.after)
					}
				}
				p.Heal()
				p.Up()
				k.awaitStat(t, src)
				if got, err := artifacttest.Download(t.Context(), src, info, quick); err != nil || !bytes.Equal(got, want) {
					t.Errorf("afterwards: got %d bytes and error %v, want all", len(got), err)
				}
			})
		}
		t.Run(k.name+"/no answer to SYN", func(t *testing.T) {
			t.Parallel()
			src := k.source(t, "a.tar", "http://"+faultproxy.Unanswered(t))
			_ = k.failsInTime(t, src, "Stat", func(ctx context.Context) error { _, err := src.Stat(ctx); return err }, "no connection within")
		})
	}
}

func TestChecksOverBrokenTLS(t *testing.T) {
	t.Parallel()
	stranger, err := faultproxy.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	issue := func(a *faultproxy.Authority, host string, until time.Time) *tls.Certificate {
		c, err := a.Issue(host, until)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	const host = "127.0.0.1"
	later, expired := time.Now().Add(time.Hour), time.Now().Add(-25*time.Hour)
	for _, k := range kinds(t) {
		k.publish("a.tar", noise(1000))
		for _, tt := range []struct {
			name        string
			certificate *tls.Certificate // nil: plain HTTP
			breaks      func(*faultproxy.Proxy)
			want        []string
		}{
			{"expired", issue(authority, host, expired), nil, []string{"the certificate expired on " + expired.UTC().Format("2006-01-02T")}},
			{"wrong name", issue(authority, "elsewhere.example.com", later), nil, []string{"certificate"}},
			{"unknown authority", issue(stranger, host, later), nil, []string{"certificate signed by unknown authority"}},
			{"plain HTTP", nil, nil, []string{"server gave HTTP response to HTTPS client"}},
			{
				"cut in the handshake", issue(authority, host, later), (*faultproxy.Proxy).Down,
				[]string{"connection reset by peer", "was closed before there was an answer", "broken pipe"},
			},
			{"silent in the handshake", issue(authority, host, later), (*faultproxy.Proxy).Mute, []string{"no TLS handshake within"}},
		} {
			t.Run(k.name+"/"+tt.name, func(t *testing.T) {
				t.Parallel()
				p := faultproxy.StartTLS(t, k.url, tt.certificate)
				if tt.breaks != nil {
					tt.breaks(p)
				}
				src := k.source(t, "a.tar", strings.Replace(p.URL, "http://", "https://", 1))
				err := k.failsInTime(t, src, "Stat", func(ctx context.Context) error { _, err := src.Stat(ctx); return err }, tt.want...)
				if err != nil && !strings.Contains(err.Error(), host) {
					t.Errorf("the error %q does not say where", err)
				}
				if tt.breaks == nil || k.name == "Swift" {
					return // Swift sends whoever logged in to an address without TLS, since it has none itself
				}
				p.Up()
				k.awaitStat(t, src)
			})
		}
	}
}

// outOfTime finds what errors say where the machine is too busy for the short limits of these tests.
var outOfTime = regexp.MustCompile(`timeout|no (TLS handshake|connection|answer|complete answer) within`)

// failsInTime checks what every failure must be, and returns it. Where the machine is too busy, it fails by a
// limit, and is called again.
func (k kind) failsInTime(t *testing.T, src artifact.Source, what string, call func(context.Context) error, want ...string) error {
	t.Helper()
	var err error
	said := false
	for first := time.Now(); !said && time.Since(first) < time.Minute; {
		begin := time.Now()
		err = call(t.Context())
		if took := time.Since(begin); took > bound {
			t.Errorf("%s took %s", what, took)
		}
		said = slices.ContainsFunc(want, func(w string) bool { return strings.Contains(fmt.Sprint(err), w) })
		if !outOfTime.MatchString(fmt.Sprint(err)) {
			break
		}
	}
	if err == nil || errors.Is(err, artifact.ErrNotExist) || errors.Is(err, artifact.ErrChanged) {
		t.Errorf("%s: got error %v, want one that is neither ErrNotExist nor ErrChanged", what, err)
		return err
	}
	if !said || !strings.Contains(err.Error(), src.String()) {
		t.Errorf("%s: got error %q, want one that names %s and has one of %q in it", what, err, src, want)
	}
	k.showsNoSecret(t, err)
	return err
}

func (k kind) showsNoSecret(t *testing.T, err error) {
	t.Helper()
	for ; err != nil; err = errors.Unwrap(err) {
		for _, s := range append(k.secrets, "Signature=", "AUTH_tk") {
			if strings.Contains(err.Error(), s) {
				t.Errorf("%q shows the secret %q", err, s)
			}
		}
	}
}

// awaitStat is Stat on a way that is in order, where only a busy machine could be too slow for the short limits.
func (k kind) awaitStat(t *testing.T, src artifact.Source) artifact.Info {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		info, err := src.Stat(t.Context())
		if err == nil {
			return info
		}
		if time.Now().After(deadline) {
			t.Fatalf("the network is in order, and still: %v", err)
		}
	}
}

// quick are the options of a resuming reader that does not make the tests wait.
var quick = artifact.ResumeOptions{
	BaseDelay: time.Millisecond, MaxDelay: 10 * time.Millisecond,
	StallTimeout: 2 * time.Second, ProgressTimeout: 2 * time.Second,
	Attempts: 20, // on a machine too busy for such times
}
