package swift

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/internal/byterange"
	"github.com/dropship/dropship/artifact/internal/neterr"
	"github.com/dropship/dropship/artifact/internal/transport"
)

// source is one object.
type source struct {
	client *client
	bucket string
	path   string
}

var _ artifact.Source = (*source)(nil)

// String implements artifact.Source.
func (s *source) String() string { return "swift://" + s.bucket + "/" + s.path }

// Stat implements artifact.Source. It is one HEAD.
func (s *source) Stat(ctx context.Context) (artifact.Info, error) {
	o, err := s.head(ctx)
	if err != nil {
		return artifact.Info{}, fmt.Errorf("cannot check %s: %w", s, err)
	}
	return o.info, nil
}

// object is what Swift says about an object in the headers of an answer.
type object struct {
	info   artifact.Info
	static bool // a static large object, made of segments that a manifest names
	header http.Header
}

func (s *source) head(parent context.Context) (object, error) {
	ctx, cancel := transport.WithDeadline(parent)
	defer cancel()
	resp, err := s.client.do(ctx, http.MethodHead, escape(s.bucket, s.path), nil, http.Header{})
	if err != nil {
		return object{}, neterr.Cause(parent, err)
	}
	defer finish(resp)
	if resp.StatusCode != http.StatusOK {
		return object{}, failure(resp)
	}
	return objectOf(resp)
}

func objectOf(resp *http.Response) (object, error) {
	weak := strings.HasPrefix(resp.Header.Get("Etag"), "W/") // never Swift's, but that of a proxy which changes what passes
	o := object{
		header: resp.Header,
		static: strings.EqualFold(resp.Header.Get("X-Static-Large-Object"), "true"),
		info: artifact.Info{
			Revision:    etagOf(resp),
			Weak:        weak,
			Size:        resp.ContentLength,
			ContentType: resp.Header.Get("Content-Type"),
			Ranges:      !weak,
		},
	}
	if o.info.Revision == "" {
		// Swift leaves it out for a dynamic large object of more segments than it lists at once.
		return object{}, errors.New("the server gives no Etag for the object, so changes of it cannot be noticed; an object of many segments has one if it is a static large object")
	}
	if at, err := http.ParseTime(resp.Header.Get("Last-Modified")); err == nil {
		o.info.ModTime = at
	}
	dynamic := resp.Header.Get("X-Object-Manifest") != ""
	if !o.static && !dynamic && isMD5(o.info.Revision) {
		o.info.MD5 = o.info.Revision
	}
	return o, nil
}

// etagOf returns the Etag without the quotes, which only large objects have.
func etagOf(resp *http.Response) string {
	return strings.Trim(resp.Header.Get("Etag"), `"`)
}

// isMD5 reports whether etag has the form of one: other servers with Swift's API (Ceph) have Etags of
// parts, with a hyphen, even for what looks like a plain object.
func isMD5(etag string) bool {
	sum, err := hex.DecodeString(etag)
	return err == nil && len(sum) == 16 && etag == strings.ToLower(etag)
}

// Open implements artifact.Source.
func (s *source) Open(ctx context.Context, info artifact.Info, offset, length int64) (io.ReadCloser, error) {
	body, err := s.open(ctx, info, offset, length)
	if err != nil {
		return nil, fmt.Errorf("cannot open %s at byte %d: %w", s, offset, err)
	}
	return artifact.NewBody(ctx, s.String(), body, info.Bytes(offset, length)), nil
}

func (s *source) open(ctx context.Context, info artifact.Info, offset, length int64) (io.ReadCloser, error) {
	header := http.Header{"If-Match": {`"` + info.Revision + `"`}}
	wantStatus := http.StatusOK
	if part := byterange.Request(offset, length); part != "" {
		header.Set("Range", part)
		wantStatus = http.StatusPartialContent
	}
	resp, err := s.client.do(ctx, http.MethodGet, escape(s.bucket, s.path), nil, header)
	if err != nil {
		return nil, err
	}
	switch resp.StatusCode {
	case wantStatus:
		if etagOf(resp) != info.Revision {
			resp.Body.Close()
			return nil, artifact.ErrChanged
		}
		if resp.StatusCode == http.StatusPartialContent {
			part, err := byterange.Parse(resp.Header.Get("Content-Range"))
			if err == nil {
				err = part.Check(offset, length)
			}
			if err != nil {
				resp.Body.Close()
				return nil, err
			}
		}
		return resp.Body, nil
	case http.StatusRequestedRangeNotSatisfiable:
		// There is nothing from offset on. That is right only at the very end.
		finish(resp)
		if offset != info.Size {
			return nil, artifact.ErrChanged
		}
		return io.NopCloser(strings.NewReader("")), nil
	}
	finish(resp)
	return nil, failure(resp)
}

// failure returns the error that the status of an answer about an object means.
func failure(resp *http.Response) error {
	answer := fmt.Sprintf("the server answers %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	if resp.Request != nil {
		answer = resp.Request.URL.Host + ": " + answer
	}
	switch resp.StatusCode {
	case http.StatusNotFound:
		return artifact.ErrNotExist
	case http.StatusPreconditionFailed:
		return artifact.ErrChanged
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%s: access denied, the user may not read the container (its read ACL decides)", answer)
	case http.StatusConflict:
		return fmt.Errorf("%s: a segment of the large object is missing, or was changed after its manifest was made; upload it again", answer)
	}
	return artifact.Busy(errors.New(answer), resp.Header.Get("Retry-After"), time.Now())
}
