// Package answer makes what a server said fit for an error: short, on one line, and without the
// credentials that debug pages and echoing proxies send back.
package answer

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

const (
	// maxBody is how much of a body is read.
	maxBody = 1 << 20
	// maxShown is how much of it is shown, in bytes.
	maxShown = 200
)

// An Answer is one response, read.
type Answer struct {
	Code   int
	Status string // "503 Service Unavailable"
	Header http.Header
	Body   string // the first MiB
	hide   []string
}

// Read reads the beginning of resp's body, which the caller closes. What is shown of it later has nothing in it of
// hide, neither as it is nor as it travels in a URL or in a basic authentication.
func Read(resp *http.Response, hide ...string) (Answer, error) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return Answer{}, fmt.Errorf("cannot read the answer (%s): %w", resp.Status, err)
	}
	if user, password, ok := resp.Request.BasicAuth(); ok {
		hide = append(slices.Clip(hide), password, user+":"+password) // the caller's own, which other runs read
	}
	return Answer{Code: resp.StatusCode, Status: resp.Status, Header: resp.Header, Body: string(body), hide: hide}, nil
}

// String returns the status and the beginning of the body: `503 Service Unavailable: "db down"`.
func (a Answer) String() string {
	// Hidden before it is cut, since half a credential would not be found.
	body := a.Body
	for _, s := range a.hide {
		if s == "" {
			continue
		}
		for _, form := range []string{base64.StdEncoding.EncodeToString([]byte(s)), url.QueryEscape(s), url.PathEscape(s), s} {
			body = strings.ReplaceAll(body, form, "(redacted)")
		}
	}
	body = strings.TrimSpace(body)
	if body == "" {
		return a.Status
	}
	if len(body) > maxShown {
		body = strings.ToValidUTF8(body[:maxShown], "") + "…"
	}
	return fmt.Sprintf("%s: %q", a.Status, body)
}

// Cause returns what is behind an error of http.Client.Do, without the URL, whose query may be a
// credential and which the caller names anyway, and with ctx's cause where ctx ended.
func Cause(ctx context.Context, err error) error {
	var urlErr *url.Error
	if errors.As(err, &urlErr) {
		err = urlErr.Err
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}
