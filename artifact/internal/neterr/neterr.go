// Package neterr is what repositories that speak HTTP by themselves do alike when a request fails.
package neterr

import (
	"context"
	"errors"
	"fmt"
	"net/url"
)

// Cause returns the error of a request without the URL that net/http puts around it (a redirect's may have a
// signature in its query), and as the end of ctx where that is what it is.
func Cause(ctx context.Context, err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		return fmt.Errorf("%w: %w", ended, err)
	}
	return err
}
