package consul

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"

	"github.com/dropship/dropship/dropship/secret"
	"github.com/dropship/dropship/lock"
)

// errRefused is what every refusal is.
var errRefused = lock.ErrRefused

// permissionDenied is in what Consul says of a transaction, or of one of its operations, that the token may not do.
const permissionDenied = "Permission denied"

// A refusal means that Consul understood and said no: asking again changes nothing.
type refusal struct{ error }

func (refusal) Is(target error) bool { return target == errRefused }

func (r refusal) Unwrap() error { return r.error }

// failures turns what the client returns into errors that say what was attempted, on what, and what to do.
type failures struct {
	where       string
	prefix      string
	credentials []secret.String // that a server or a proxy may repeat in an answer
}

// failed describes err, or why ctx ended if that is what stopped the request.
func (f failures) failed(ctx context.Context, doing string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("cannot %s at %s: %w", doing, f.where, context.Cause(ctx))
	}
	var bad *url.Error
	if errors.As(err, &bad) {
		err = bad.Err // without the URL: an address from the environment may carry a password
	}
	var status api.StatusError
	if !errors.As(err, &status) {
		text := err.Error() // the client gives the answer to a transaction as text
		if f.scrub(text) != text {
			err = errors.New(f.scrub(text))
		}
		err = fmt.Errorf("cannot %s at %s: %w", doing, f.where, err)
		if strings.Contains(text, permissionDenied) || strings.Contains(text, "ACL not found") {
			return f.denied(err)
		}
		return err
	}
	status.Body = f.scrub(status.Body)
	err = fmt.Errorf("cannot %s at %s: %w", doing, f.where, status)
	switch {
	case status.Code == http.StatusForbidden:
		return f.denied(err)
	case status.Code >= 400 && status.Code < 500 && status.Code != http.StatusTooManyRequests:
		return refusal{err}
	}
	return err
}

// denied adds what the token must be allowed.
func (f failures) denied(err error) error {
	return refusal{fmt.Errorf("%w: permission denied: the token needs key write on %s/ (key_prefix %q) and session write on this node (session_prefix \"\")",
		err, f.prefix, f.prefix+"/")}
}

// partial describes an answer from which something was left out: somebody ahead may be among that.
func (f failures) partial(doing string) error {
	return f.denied(fmt.Errorf("cannot %s at %s: the token may see only a part of it", doing, f.where))
}

// refused describes a transaction that was rolled back. Consul answers alike to a token without rights and
// to a session that is gone, so both are named.
func (f failures) refused(key string, errs api.TxnErrors) error {
	var what []string
	for _, e := range errs {
		what = append(what, f.scrub(e.What))
	}
	return refusal{fmt.Errorf("cannot write %s at %s: %s (either the session or its key is gone, or the token lacks key write on %s/)",
		key, f.where, strings.Join(what, "; "), f.prefix)}
}

// sessionRefused explains the one limit of Consul that a valid ttl can still violate.
func (f failures) sessionRefused(ttl time.Duration, err error) error {
	var status api.StatusError
	if !errors.As(err, &status) || !strings.Contains(status.Body, "Session TTL") {
		return err
	}
	return fmt.Errorf("%w: the lock's ttl is %s; raise it to what Consul's session_ttl_min allows (10s by default)", err, ttl)
}

func (f failures) scrub(text string) string {
	for _, c := range f.credentials {
		if c != "" {
			text = strings.ReplaceAll(text, c.Reveal(), c.String())
		}
	}
	return text
}
