package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/internal/neterr"
)

// failed names what was attempted on what, and says of the SDK's errors what they mean.
func (s *source) failed(ctx context.Context, verb string, err error) error {
	return fmt.Errorf("cannot %s %s: %w", verb, s, s.explain(ctx, err))
}

func (s *source) explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if missing, ok := errors.AsType[*credentialsError](err); ok {
		return missing
	}
	if send, ok := errors.AsType[*smithyhttp.RequestSendError](err); ok {
		return neterr.Cause(ctx, send.Err)
	}
	code, told := absence(err)
	switch {
	case told:
		return fmt.Errorf("%w (%s)", artifact.ErrNotExist, code)
	case code != "":
		return fmt.Errorf("%w, or there is no bucket %s (%s, which does not tell them apart)", artifact.ErrNotExist, s.bucket, code)
	}
	var archived *types.InvalidObjectState
	if errors.As(err, &archived) { // a 403 too, but no refusal
		return fmt.Errorf("the object is archived and must be restored first: %w", err)
	}
	var response *smithyhttp.ResponseError
	if !errors.As(err, &response) || response.Response == nil {
		return err
	}
	switch code := response.HTTPStatusCode(); code {
	case http.StatusPreconditionFailed:
		return artifact.ErrChanged
	case http.StatusForbidden:
		return fmt.Errorf("access denied: check accessKey and secret, and that the policy allows s3:GetObject "+
			"(and s3:ListBucket, without which S3 answers 403 for an absent key): %w", err)
	case http.StatusMovedPermanently, http.StatusTemporaryRedirect, http.StatusBadRequest:
		if region := response.Response.Header.Get("X-Amz-Bucket-Region"); region != "" {
			return fmt.Errorf("the bucket is in region %q: set name in the repo block to that: %w", region, err)
		}
		if request := response.Response.Request; request != nil && request.Method == http.MethodHead {
			// The reason would be in the body, and a HEAD has none.
			return fmt.Errorf("the server refuses the request without saying why: check name (the region) and endpoint in the repo block, and that the token has not expired: %w", err)
		}
	}
	if request := response.Response.Request; request != nil && request.URL != nil {
		err = fmt.Errorf("%s: %w", request.URL.Host, err)
	}
	return artifact.Busy(err, response.Response.Header.Get("Retry-After"), time.Now())
}

// absence returns S3's code for the bucket, the object or the version not being there, else nothing; and whether it tells
// which of them. HEAD has no body to have a code in, so of HEAD alone the bare status is enough.
func absence(err error) (code string, told bool) {
	var head *types.NotFound
	if errors.As(err, &head) {
		return head.ErrorCode(), false
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		switch api.ErrorCode() {
		case "NoSuchKey", "NoSuchBucket", "NoSuchVersion":
			return api.ErrorCode(), true
		}
	}
	return "", false
}

// status returns the HTTP status of an error of the SDK, 0 if S3 did not answer.
func status(err error) int {
	if _, missing := errors.AsType[*credentialsError](err); missing {
		return 0
	}
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) && response.Response != nil {
		return response.HTTPStatusCode()
	}
	return 0
}
