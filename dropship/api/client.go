package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/dropship/dropship/dropship"
)

// answerTimeout is how long an agent may take for what it answers at once.
const answerTimeout = 30 * time.Second

// A Client asks the agent at a socket. Safe for concurrent use.
//
// Errors: ErrUnreachable, where no agent answers; fs.ErrPermission, where this user may not ask; the end of ctx; all
// others are an *Error, and by errors.Is what package dropship has for it. What an agent answers at once it answers within
// 30 seconds, or is ErrUnreachable; Check, Rollback and Retry, which may wait for an update, have as long as ctx gives them.
type Client struct {
	socket string
	http   http.Client
}

// NewClient returns a client, and does no I/O.
func NewClient(socket string) *Client {
	return &Client{socket: socket, http: http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, // a connection costs nothing here, and an idle one would be in the way of others
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}}
}

// Agent asks for the agent's process.
func (c *Client) Agent(ctx context.Context) (Agent, error) {
	return ask[Agent](ctx, c, "/v1/agent")
}

// Statuses asks for the status of every service, by name.
func (c *Client) Statuses(ctx context.Context) ([]dropship.Status, error) {
	r, err := ask[statusesReply](ctx, c, "/v1/services")
	return r.Services, err
}

// Status asks for the status of a service.
func (c *Client) Status(ctx context.Context, service string) (dropship.Status, error) {
	return ask[dropship.Status](ctx, c, path(service, ""))
}

// Why is dropship.Agent.Why.
func (c *Client) Why(ctx context.Context, service string) (dropship.Reason, error) {
	return ask[dropship.Reason](ctx, c, path(service, "/why"))
}

// History asks for the last updates of a service, newest first: limit of them, or, with 0, all that are remembered.
// Beside an error it returns those that could be read.
func (c *Client) History(ctx context.Context, service string, limit int) ([]dropship.Record, error) {
	r, err := ask[historyReply](ctx, c, path(service, "/history?limit="+strconv.Itoa(limit)))
	return r.History, err
}

// Releases asks for the releases of a service that are kept, newest first.
func (c *Client) Releases(ctx context.Context, service string) ([]dropship.Kept, error) {
	r, err := ask[releasesReply](ctx, c, path(service, "/releases"))
	return r.Releases, err
}

// Check is dropship.Agent.Check.
func (c *Client) Check(ctx context.Context, service string) (dropship.Event, error) {
	return do[dropship.Event](ctx, c, http.MethodPost, path(service, "/check"), checkRequest{})
}

// Rollback is dropship.Agent.Rollback. Beside an error it returns what came of it as far as anything did. When ctx ends
// while it waits for a slot it gives that up; later the agent completes it all the same.
func (c *Client) Rollback(ctx context.Context, service string, req dropship.RollbackRequest) (dropship.Result, error) {
	r, err := do[rollbackReply](ctx, c, http.MethodPost, path(service, "/rollback"), rollbackRequest(req))
	return r.result(), err
}

// Retry is dropship.Agent.Retry.
func (c *Client) Retry(ctx context.Context, service, by string) ([]dropship.Quarantined, error) {
	r, err := do[retryReply](ctx, c, http.MethodPost, path(service, "/retry"), byRequest{by})
	return r.Quarantined, err
}

// Pause is dropship.Agent.Pause. The agent says since when.
func (c *Client) Pause(ctx context.Context, service string, p dropship.Pause) (updating bool, err error) {
	r, err := quick[pauseReply](ctx, c, http.MethodPost, path(service, "/pause"), pauseRequest{p.By, p.Reason, moment{p.Until}})
	return r.Updating, err
}

// Resume is dropship.Agent.Resume.
func (c *Client) Resume(ctx context.Context, service, by string) (*dropship.Pause, error) {
	r, err := quick[resumeReply](ctx, c, http.MethodPost, path(service, "/resume"), byRequest{by})
	return r.Paused, err
}

func path(service, rest string) string { return "/v1/services/" + url.PathEscape(service) + rest }

func ask[T any](ctx context.Context, c *Client, path string) (T, error) {
	return quick[T](ctx, c, http.MethodGet, path, nil)
}

// errSlow is why no answer is waited for any longer.
var errSlow = fmt.Errorf("no answer within %s", answerTimeout)

// quick is do for what is answered at once.
func quick[T any](ctx context.Context, c *Client, method, path string, body any) (T, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, answerTimeout, errSlow)
	defer cancel()
	return do[T](ctx, c, method, path, body)
}

// do sends a request, and reads the answer.
func do[T any](ctx context.Context, c *Client, method, path string, body any) (T, error) {
	var value T
	response, err := c.send(ctx, method, path, body)
	if err != nil {
		return value, err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK {
		err = json.NewDecoder(response.Body).Decode(&value)
		if err != nil {
			err = c.broken(ctx, err)
		}
		return value, err
	}
	var reply errorReply[T]
	if err := json.NewDecoder(response.Body).Decode(&reply); err != nil || reply.Error == nil {
		return value, c.broken(ctx, fmt.Errorf("status %s, and no reason", response.Status))
	}
	return reply.Result, reply.Error
}

func (c *Client) send(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var content io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("cannot write the request to the agent: %w", err)
		}
		content = bytes.NewReader(data)
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://dropship"+path, content)
	if err != nil {
		return nil, fmt.Errorf("cannot make the request to the agent: %w", err)
	}
	response, err := c.http.Do(r)
	if err != nil {
		return nil, c.broken(ctx, err)
	}
	return response, nil
}

// broken returns why an agent gave no answer, or not a whole one.
func (c *Client) broken(ctx context.Context, err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var dial *net.OpError
	cause := context.Cause(ctx)
	switch {
	case cause != nil && !errors.Is(cause, errSlow):
		return cause
	case cause != nil:
		return fmt.Errorf("%w at %s: %w", ErrUnreachable, c.socket, cause)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("permission denied: the socket of the agent, %s, is for root and the user that it runs as (%w)", c.socket, err)
	case errors.As(err, &dial) && dial.Op == "dial":
		return fmt.Errorf("%w at %s: none listens there (%w)", ErrUnreachable, c.socket, dial.Err)
	}
	return fmt.Errorf("%w at %s: it closed the connection without a whole answer: it ended, or too many are connected (%w)", ErrUnreachable, c.socket, err)
}
