package consul

import (
	"bytes"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"slices"

	"github.com/hashicorp/consul/api"
)

// confine keeps the credentials of a client between it and Consul. Go's client follows redirects to any host with
// every header it does not know, X-Consul-Token too; and what a server says with an error becomes part of the
// client's error, though proxies and debug pages say what they were asked.
func confine(client *http.Client, config *api.Config) {
	hide := []string{config.Token}
	if auth := config.HttpAuth; auth != nil {
		hide = append(hide, auth.Password, base64.StdEncoding.EncodeToString([]byte(auth.Username+":"+auth.Password)))
	}
	for _, s := range hide {
		hide = append(hide, url.QueryEscape(s), url.PathEscape(s))
	}
	client.Transport = &echoless{client.Transport, slices.DeleteFunc(hide, func(s string) bool { return s == "" })}
	client.CheckRedirect = func(to *http.Request, via []*http.Request) error {
		if to.URL.Host != via[0].URL.Host || to.URL.Scheme != via[0].URL.Scheme || len(via) > 3 {
			return http.ErrUseLastResponse // the redirect is the answer then, an error with its status
		}
		return nil
	}
}

// An echoless transport takes credentials out of what is not Consul's answer but an error.
type echoless struct {
	next http.RoundTripper
	hide []string
}

// maxError is how much of an error's text is read, in bytes: far more than Consul ever says.
const maxError = 64 << 10

func (e *echoless) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := e.next.RoundTrip(r)
	if err != nil || resp.StatusCode < http.StatusMultipleChoices {
		return resp, err
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxError))
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	for _, s := range e.hide {
		text = bytes.ReplaceAll(text, []byte(s), []byte("(redacted)"))
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	return resp, nil
}

// present leaves out what a server, or what stands before it, gives as no pair at all: a null.
func present(pairs api.KVPairs) api.KVPairs {
	return slices.DeleteFunc(pairs, func(p *api.KVPair) bool { return p == nil })
}
