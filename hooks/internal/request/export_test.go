package request

import "net/http"

// Over returns a Client that sends its requests by t.
func Over(t http.RoundTripper) *Client {
	c := New()
	c.http.Transport = t
	return c
}
