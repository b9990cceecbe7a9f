// Package consul is the hooks that speak to Consul: consul-maintenance takes this machine, or one service
// on it, out of the others' sight while it is updated; consul-event tells the cluster about an update.
//
//	before "consul-maintenance" { service = "web-1" }
//	after "consul-maintenance"  { service = "web-1" }
//	after "consul-event" {
//	  name    = "deployed"
//	  service = "proxy"
//	}
//
// Both speak to the Consul agent that the configuration's consul block names, which retries what is between
// it and the servers. While the agent itself fails, consul-maintenance goes on trying, since the mode is the same
// however often it is set; consul-event tries once, since an event is not.
package consul

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/hashicorp/consul/api"
)

// A connect returns a client of Consul, when a hook runs.
type connect = func() (*api.Client, error)

// explain returns what is behind an error of Consul's client, with what to do about it: permission is what
// the token needs, such as "node:write". The request's URL, which the error of a failed connection
// begins with, is left out: the error behind it has the address.
func explain(ctx context.Context, err error, permission string) error {
	var urlErr *url.Error
	if errors.As(err, &urlErr) {
		err = urlErr.Err
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", cause, err)
	}
	var status api.StatusError
	if errors.As(err, &status) {
		err = &answerError{status}
		if status.Code == http.StatusForbidden {
			return fmt.Errorf("permission denied: the token of the consul block needs %s: %w", permission, err)
		}
	}
	return err
}

// An answerError says what Consul answered as a sentence of ours goes on.
type answerError struct{ api.StatusError }

func (e *answerError) Error() string {
	const limit = 300
	body := e.Body
	if len(body) > limit {
		body = strings.ToValidUTF8(body[:limit], "") + "…"
	}
	return fmt.Sprintf("Consul answered %d %s: %q", e.Code, http.StatusText(e.Code), body)
}

func (e *answerError) Unwrap() error { return e.StatusError }
