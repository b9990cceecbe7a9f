package swift_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/test/faultproxy"
)

func logins(p *faultproxy.Proxy) int {
	n := 0
	for _, r := range p.Requests() {
		if isLogin(r) {
			n++
		}
	}
	return n
}

func notLogin(r *http.Request) bool { return !isLogin(r) }

// The server refuses the token in the middle of its life, as it does when it has lost its cache.
func TestTokenRefused(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	c.put(t, c.bucket, "a", []byte("content"), nil)
	src, proxy := c.via(t, "a")
	info := stat(t, src)
	if n := logins(proxy); n != 1 {
		t.Fatalf("got %d logins for the first Stat, want 1", n)
	}
	for what, call := range map[string]func() error{
		"Stat": func() error { _, err := src.Stat(t.Context()); return err },
		"Open": func() error { _, _, err := download(t.Context(), src, info); return err },
	} {
		proxy.Forget()
		proxy.Break(1, faultproxy.Status(http.StatusUnauthorized), notLogin)
		if err := call(); err != nil {
			t.Errorf("%s: got error %v, want that it logs in again", what, err)
		}
		if n := logins(proxy); n != 1 {
			t.Errorf("%s: got %d logins, want 1", what, n)
		}
	}

	proxy.Forget()
	proxy.Break(-1, faultproxy.Status(http.StatusUnauthorized), notLogin)
	_, err := src.Stat(t.Context())
	if err == nil || errors.Is(err, artifact.ErrNotExist) || !strings.Contains(err.Error(), "access denied") {
		t.Errorf("refused again: got error %v, want access denied", err)
	}
	if n := logins(proxy); n != 1 {
		t.Errorf("refused again: got %d logins, want 1", n)
	}
}

// A 404 of the identity server is about its URL, not about the artifact.
func TestLoginNotFound(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	src := sourceOf(t, newRepository(t, c.repo(c.url(t)+"/nowhere/v1.0", c.Key)), c.bucket, "a")
	_, err := src.Stat(t.Context())
	if err == nil || errors.Is(err, artifact.ErrNotExist) || !strings.Contains(err.Error(), "cannot log in at") {
		t.Errorf("got error %v, want one about the login", err)
	}
}

// Who waits for another's login still obeys their own context.
func TestWaitForLoginIsCancelled(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	c.put(t, c.bucket, "a", []byte("content"), nil)
	src, proxy := c.via(t, "a")
	arrived := make(chan struct{})
	release := make(chan struct{})
	var once sync.Once
	proxy.Break(-1, faultproxy.Fault{}, func(r *http.Request) bool {
		if isLogin(r) {
			once.Do(func() { close(arrived) })
			<-release
		}
		return false
	})
	first := make(chan error, 1)
	go func() { _, err := src.Stat(t.Context()); first <- err }()
	<-arrived

	ctx, cancel := context.WithCancel(t.Context())
	second := make(chan error, 1)
	go func() { _, err := src.Stat(ctx); second <- err }()
	cancel()
	if err := <-second; !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want context.Canceled", err)
	}
	close(release)
	if err := <-first; err != nil {
		t.Errorf("the login that was waited for: got error %v, want none", err)
	}
}

// A redirect would carry the token, or the key, to where it points.
func TestRedirectIsRefused(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("%s %s came to the other host", r.Method, r.URL)
	}))
	defer elsewhere.Close()
	redirect := httptest.NewServer(http.RedirectHandler(elsewhere.URL+"/there?sig=s3cr3t", http.StatusTemporaryRedirect))
	defer redirect.Close()
	for _, version := range []string{"v1.0", "v2.0", "v3"} {
		src := sourceOf(t, newRepository(t, c.repo(redirect.URL+"/"+version, c.Key)), c.bucket, "a")
		_, err := src.Stat(t.Context())
		if err == nil || !strings.Contains(err.Error(), elsewhere.URL) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%s: got error %v, want one that names the other host and shows no query", version, err)
		}
	}
}

// A context that ended for a reason of its owner's is still one that ended.
func TestCancelledWithCause(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	src := c.source(t, "a")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("shutting down"))
	if _, err := src.Stat(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("before the login: got error %v, want context.Canceled", err)
	}
	if _, err := src.Stat(t.Context()); !errors.Is(err, artifact.ErrNotExist) {
		t.Fatal(err)
	}
	if _, err := src.Stat(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("after the login: got error %v, want context.Canceled", err)
	}
}
