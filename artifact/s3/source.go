package s3

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/internal/byterange"
	"github.com/dropship/dropship/artifact/internal/transport"
)

// source is one object. Its revision is the ETag as the server writes it and, in a bucket with
// versions, a space and the version's id.
type source struct {
	client      *lazyClient
	bucket, key string
}

var _ artifact.Source = (*source)(nil)

func (s *source) String() string { return "s3://" + s.bucket + "/" + s.key }

// Stat implements artifact.Source with one HEAD request.
func (s *source) Stat(ctx context.Context) (artifact.Info, error) {
	client, err := s.client.get(ctx)
	if err != nil {
		return artifact.Info{}, s.failed(ctx, "stat", err)
	}
	out, err := s.head(ctx, client, &s3.HeadObjectInput{})
	if err != nil {
		return artifact.Info{}, s.failed(ctx, "stat", err)
	}
	etag := aws.ToString(out.ETag)
	if etag == "" || out.ContentLength == nil {
		return artifact.Info{}, s.failed(ctx, "stat", errors.New("the answer has no ETag or no length; is the endpoint an S3 server?"))
	}
	revision := etag
	if v := aws.ToString(out.VersionId); v != "" && v != "null" {
		revision += " " + v
	}
	weak := strings.HasPrefix(etag, "W/") // no S3 server's, but that of a proxy which changes what passes
	info := artifact.Info{
		Revision:    revision,
		Weak:        weak,
		Size:        *out.ContentLength,
		ModTime:     aws.ToTime(out.LastModified),
		ContentType: aws.ToString(out.ContentType),
		Ranges:      !weak,
	}
	if sum, parts, ok := parseETag(etag); ok && parts == 0 && s.etagIsOfBytes(out) {
		info.MD5 = hex.EncodeToString(sum) // whatever the case of the ETag
	}
	return info, nil
}

// head asks about the object, with whatever it takes to get credentials first.
func (s *source) head(ctx context.Context, client *s3.Client, in *s3.HeadObjectInput) (*s3.HeadObjectOutput, error) {
	ctx, cancel := transport.WithDeadline(ctx)
	defer cancel()
	in.Bucket, in.Key = &s.bucket, &s.key
	growStack()
	out, err := client.HeadObject(ctx, in, s.client.endpoints.use)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return nil, cause // the SDK says "canceled", which nobody did
	}
	return out, err
}

// etagIsOfBytes says whether an ETag is made of md5s of the bytes: not if the object is encrypted with
// a key of KMS or of the customer, or lies in a directory bucket.
func (s *source) etagIsOfBytes(out *s3.HeadObjectOutput) bool {
	return (out.ServerSideEncryption == "" || out.ServerSideEncryption == types.ServerSideEncryptionAes256) &&
		out.SSECustomerAlgorithm == nil &&
		!strings.HasSuffix(s.bucket, "--x-s3")
}

// etagOf returns the ETag of a revision.
func etagOf(info artifact.Info) *string {
	etag, _, _ := strings.Cut(info.Revision, " ")
	return &etag
}

// Open implements artifact.Source with one GET request. It is pinned by the ETag alone: naming the
// version too would take the right to s3:GetObjectVersion, and add nothing, as equal ETags are equal bytes.
func (s *source) Open(ctx context.Context, info artifact.Info, offset, length int64) (io.ReadCloser, error) {
	if offset > 0 && offset == info.Size {
		return artifact.NewBody(ctx, s.String(), http.NoBody, 0), nil // S3 refuses a range of no bytes
	}
	client, err := s.client.get(ctx)
	if err != nil {
		return nil, s.failed(ctx, "open", err)
	}
	in := &s3.GetObjectInput{Bucket: &s.bucket, Key: &s.key, IfMatch: etagOf(info)}
	if part := byterange.Request(offset, length); part != "" {
		in.Range = &part
	}
	out, err := client.GetObject(ctx, in)
	if status(err) == http.StatusRequestedRangeNotSatisfiable && offset < info.Size {
		err = fmt.Errorf("%w: it has no byte %d", artifact.ErrChanged, offset)
	}
	if err != nil {
		return nil, s.failed(ctx, "open", err)
	}
	if err := checkAnswer(out, info, offset, length); err != nil {
		out.Body.Close()
		return nil, s.failed(ctx, "open", err)
	}
	return artifact.NewBody(ctx, s.String(), out.Body, info.Bytes(offset, length)), nil
}

// checkAnswer makes sure that a server which knows neither If-Match nor ranges is noticed, and one whose answer to a
// HEAD, while the object was being replaced, had the ETag of the one and the size of the other.
func checkAnswer(out *s3.GetObjectOutput, info artifact.Info, offset, length int64) error {
	if got, want := aws.ToString(out.ETag), *etagOf(info); got != want {
		return fmt.Errorf("%w: the ETag is %s and was %s", artifact.ErrChanged, got, want)
	}
	if offset == 0 && length < 0 {
		// One that is shorter may have been cut on the way: that shows when the rest is asked for.
		if size := aws.ToInt64(out.ContentLength); info.Size >= 0 && size > info.Size {
			return fmt.Errorf("%w: it has %d bytes and had %d", artifact.ErrChanged, size, info.Size)
		}
		return nil
	}
	part, err := byterange.Parse(aws.ToString(out.ContentRange))
	if err != nil {
		return err
	}
	if part.Size >= 0 && info.Size >= 0 && part.Size != info.Size {
		return fmt.Errorf("%w: it has %d bytes and had %d", artifact.ErrChanged, part.Size, info.Size)
	}
	return part.Check(offset, length)
}
