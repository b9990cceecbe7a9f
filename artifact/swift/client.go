package swift

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ncw/swift/v2"

	"github.com/dropship/dropship/artifact/internal/neterr"
	"github.com/dropship/dropship/artifact/internal/transport"
	"github.com/dropship/dropship/dropship/secret"
)

// client speaks to one Swift as one user. Safe for concurrent use.
//
// The library logs in, in its three ways, and keeps the token. Requests for objects are made here: its
// own reader goes on writing into the buffer of a Read that it gave up on, and its Call retries, cannot
// tell a 404 of the identity server from an absent object, and lets no one wait with a context.
type client struct {
	turn chan struct{} // holds one element while somebody uses conn
	conn *swift.Connection
	http *http.Client
}

func newClient(c config) *client {
	t := transport.New()
	t.DisableCompression = true // the bytes as they are in the object are wanted
	safe := &withoutRedirects{transport.Bound(t)}
	domain := c.Domain
	if domain == "" && c.AuthVersion == 3 {
		domain = "Default" // v3 knows no user without one, and this is Keystone's own
	}
	return &client{
		turn: make(chan struct{}, 1),
		http: &http.Client{Transport: safe},
		conn: &swift.Connection{
			UserName:    c.User,
			ApiKey:      c.Key.Reveal(),
			AuthUrl:     c.AuthURL,
			AuthVersion: c.AuthVersion,
			Region:      c.Region,
			Tenant:      c.Tenant,
			TenantId:    c.TenantID,
			Domain:      domain,
			UserAgent:   "dropship",
			Transport:   safe,
			// The context of a login and the transport bound it. The library's timer would only leave
			// the request behind.
			ConnectTimeout: 10 * transport.Whole,
		},
	}
}

// session is where the account's containers are, and what opens them.
type session struct {
	storage string
	token   string
}

// login returns the session, and logs in if there is none, or if its token is stale: the server has
// refused it, or it ends soon.
func (c *client) login(parent context.Context, stale string) (session, error) {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-parent.Done():
		return session{}, parent.Err()
	}
	if !c.conn.Authenticated() || c.conn.AuthToken == stale {
		ctx, cancel := transport.WithDeadline(parent)
		defer cancel()
		if err := c.conn.Authenticate(ctx); err != nil {
			return session{}, fmt.Errorf("cannot log in at %s as %q: %w", secret.URL(c.conn.AuthUrl), c.conn.UserName, c.loginError(neterr.Cause(parent, err)))
		}
	}
	return session{storage: c.conn.StorageUrl, token: c.conn.AuthToken}, nil
}

// loginError says what to do about err. What the server wrote into the body is dropped: it may repeat
// what it was sent.
func (c *client) loginError(err error) error {
	answer, ok := errors.AsType[*swift.Error](err)
	switch {
	case !ok:
		return err
	case answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden:
		return fmt.Errorf("access denied, check user, key, tenant and domain: %w", answer)
	case answer.StatusCode == 0 && c.conn.StorageUrl != "" && c.conn.AuthToken != "" && !c.conn.Expires.IsZero():
		// The library takes no token that is about to end, and says of it that there was none.
		return fmt.Errorf("the token that the server gives ends at %s, check the clock of this machine and the life of tokens: %w", c.conn.Expires.Format(time.RFC3339), answer)
	case answer.StatusCode == 0 && c.conn.AuthVersion > 1:
		return fmt.Errorf("the catalog names no object-store for the region %q, check region, tenant and domain: %w", c.conn.Region, answer)
	}
	return answer
}

// do sends one request about an object and returns the answer, whatever its status. A token that has
// ended meanwhile is renewed once.
func (c *client) do(ctx context.Context, method, object string, query url.Values, header http.Header) (*http.Response, error) {
	var s session
	for attempt := 0; ; attempt++ {
		var err error
		if s, err = c.login(ctx, s.token); err != nil {
			return nil, err
		}
		req, err := http.NewRequestWithContext(ctx, method, s.storage+"/"+object, nil)
		if err != nil {
			return nil, err
		}
		req.URL.RawQuery = query.Encode()
		req.Header = header.Clone()
		req.Header.Set("User-Agent", "dropship")
		req.Header.Set("X-Auth-Token", s.token)
		resp, err := c.http.Do(req)
		if err != nil {
			return nil, neterr.Cause(ctx, err)
		}
		if resp.StatusCode == http.StatusUnauthorized && attempt == 0 {
			finish(resp)
			continue
		}
		return resp, nil
	}
}

// escape returns the names of a container and an object as they stand in a URL. Every byte of a name
// counts in Swift, dots and double slashes too.
func escape(bucket, path string) string {
	parts := strings.Split(bucket+"/"+path, "/")
	for i, part := range parts {
		// A plus sign means itself in a path, but not every proxy knows.
		parts[i] = strings.ReplaceAll(url.PathEscape(part), "+", "%2B")
	}
	return strings.Join(parts, "/")
}

// withoutRedirects refuses redirects. Swift sends none for an object, and net/http would repeat the
// token, and the key in a login, to wherever one points.
type withoutRedirects struct {
	http.RoundTripper
}

func (t *withoutRedirects) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.RoundTripper.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode/100 == 3 && resp.StatusCode != http.StatusNotModified {
		resp.Body.Close()
		return nil, fmt.Errorf("the server redirects to %s, which is refused since it would get the credentials: give the right URL in authUrl",
			secret.URL(resp.Header.Get("Location")))
	}
	return resp, nil
}

// finish closes the body of an answer that says no more, and reads its little rest first, so that the
// connection can be used again.
func finish(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, 4<<10)
	resp.Body.Close()
}
