package http

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	nethttp "net/http"
	"net/url"
	"os"
	"strings"
	"sync"

	"github.com/dropship/dropship/artifact/internal/neterr"
	"github.com/dropship/dropship/artifact/internal/transport"
	"github.com/dropship/dropship/dropship/secret"
)

const maxRedirects = 10

// client speaks to one web server. Safe for concurrent use.
type client struct {
	base     *url.URL
	user     string
	password secret.String
	headers  map[string]secret.String
	caFile   string

	mu   sync.Mutex
	http *nethttp.Client // nil until it is first needed, since building a repository reads no CA file
}

// do sends one request and returns the answer, whatever its status.
func (c *client) do(ctx context.Context, method string, u *url.URL, header nethttp.Header) (*nethttp.Response, error) {
	hc, err := c.connect()
	if err != nil {
		return nil, err
	}
	req, err := nethttp.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header = header
	// The bytes as they are in the file are wanted. Without this, Go asks for gzip and undoes it.
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", "dropship")
	resp, err := hc.Do(req)
	if err != nil {
		return nil, neterr.Cause(ctx, err)
	}
	if coding := resp.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		resp.Body.Close()
		return nil, fmt.Errorf("the server sends the file with Content-Encoding %q though asked not to, so its bytes would not be the artifact's: switch that off for this file", coding)
	}
	return resp, nil
}

// connect returns the HTTP client, and makes it at the first call.
func (c *client) connect() (*nethttp.Client, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.http != nil {
		return c.http, nil
	}
	roots, err := trusted(c.caFile)
	if err != nil {
		return nil, err
	}
	next := transport.New()
	next.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	c.http = &nethttp.Client{
		Transport:     &authenticating{client: c, next: transport.Bound(next)},
		CheckRedirect: checkRedirect,
	}
	return c.http, nil
}

// trusted returns the system's certificate authorities and those in file, or nil, which means the
// system's, where there is none.
func trusted(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read caFile: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool() // a machine without any has to trust caFile alone
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("cannot use caFile %s: it has no certificate in PEM form", file)
	}
	return roots, nil
}

func checkRedirect(req *nethttp.Request, via []*nethttp.Request) error {
	if len(via) > maxRedirects {
		return fmt.Errorf("the server redirects more than %d times", maxRedirects)
	}
	if via[len(via)-1].URL.Scheme == "https" && req.URL.Scheme != "https" {
		return fmt.Errorf("the server redirects from https to %s, which is refused", secret.Redact(req.URL))
	}
	req.Header.Del("Referer") // may be a URL that another server has signed, to let in whoever has it
	return nil
}

// authenticating adds the credentials to requests for the configured scheme, host and port, and to no
// others: net/http repeats a request's own headers at every host that it is redirected to.
type authenticating struct {
	client *client
	next   nethttp.RoundTripper
}

func (t *authenticating) RoundTrip(req *nethttp.Request) (*nethttp.Response, error) {
	if origin(req.URL) != origin(t.client.base) {
		return t.next.RoundTrip(req)
	}
	req = req.Clone(req.Context())
	if t.client.user != "" {
		req.SetBasicAuth(t.client.user, t.client.password.Reveal())
	}
	for name, value := range t.client.headers {
		req.Header.Set(name, value.Reveal())
	}
	return t.next.RoundTrip(req)
}

// origin returns scheme, host and port in one form.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// little is how many bytes are read to keep a connection.
const little = 4 << 10

// finish closes the body of an answer that says no more, and reads its little rest first, so that the
// connection can be used again. A long one may be long in coming, and is not worth that.
func finish(resp *nethttp.Response) {
	if resp.ContentLength <= little {
		_, _ = io.CopyN(io.Discard, resp.Body, little)
	}
	resp.Body.Close()
}
