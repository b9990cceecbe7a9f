package http

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	nethttp "net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dropship/dropship/artifact"
	"github.com/dropship/dropship/artifact/internal/byterange"
	"github.com/dropship/dropship/artifact/internal/neterr"
	"github.com/dropship/dropship/artifact/internal/transport"
)

// source is one file on a web server.
type source struct {
	client *client
	url    *url.URL
	name   string // the URL as it may be printed

	mu     sync.Mutex
	method string // of a check: HEAD, until the server turns out not to know it
	last   *state // the last answer to a check; nil before the first
}

var _ artifact.Source = (*source)(nil)

// String implements artifact.Source.
func (s *source) String() string { return s.name }

// Stat implements artifact.Source. It is one conditional HEAD, or GET whose body is not read where
// the server does not answer HEAD.
func (s *source) Stat(ctx context.Context) (artifact.Info, error) {
	st, err := s.check(ctx)
	if err != nil {
		return artifact.Info{}, fmt.Errorf("cannot check %s: %w", s, err)
	}
	return st.info, nil
}

func (s *source) check(parent context.Context) (*state, error) {
	ctx, cancel := transport.WithDeadline(parent)
	defer cancel()
	s.mu.Lock()
	method, last := s.method, s.last
	s.mu.Unlock()

	// Only a strong ETag is a safe condition. If-Modified-Since hides what a publisher does when they
	// put an older file back, or a second one within a second, and a HEAD without it costs the same.
	header := nethttp.Header{}
	if last != nil && strong(last.etag) {
		header.Set("If-None-Match", last.etag)
	}
	resp, err := s.client.do(ctx, method, s.url, header)
	if err != nil {
		return nil, neterr.Cause(parent, err)
	}
	defer finish(resp) // of a GET: the artifact is not read, unless it is so small that its connection can be kept
	switch status := resp.StatusCode; {
	case status == nethttp.StatusOK:
	case status == nethttp.StatusNotModified && header.Get("If-None-Match") != "":
		return last, nil
	case method == nethttp.MethodHead && (status == nethttp.StatusMethodNotAllowed || status == nethttp.StatusNotImplemented):
		s.mu.Lock()
		s.method = nethttp.MethodGet
		s.mu.Unlock()
		return s.check(parent)
	default:
		return nil, failure(resp, time.Now())
	}
	st, err := stateOf(resp)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.last = &st
	s.mu.Unlock()
	return &st, nil
}

// Checksums implements artifact.Source: what the headers of the check say, and the sidecar file
// PATH.sha256, or if that is absent PATH.md5.
func (s *source) Checksums(ctx context.Context, info artifact.Info) ([]artifact.Checksum, error) {
	sums, err := s.checksums(ctx, info)
	if err != nil {
		return nil, fmt.Errorf("cannot get the checksums of %s: %w", s, err)
	}
	return sums, nil
}

func (s *source) checksums(ctx context.Context, info artifact.Info) ([]artifact.Checksum, error) {
	s.mu.Lock()
	st := s.last
	s.mu.Unlock()
	if st == nil || !st.is(info) {
		var err error
		if st, err = s.check(ctx); err != nil {
			return nil, err
		}
		if !st.is(info) {
			return nil, artifact.ErrChanged
		}
	}
	if st.sumsErr != nil {
		return nil, st.sumsErr
	}
	beside, err := s.sidecar(ctx, artifact.SHA256, ".sha256")
	if err == nil && beside == nil {
		beside, err = s.sidecar(ctx, artifact.MD5, ".md5")
	}
	if err != nil {
		return nil, err
	}
	sums := slices.Clone(st.sums)
	if beside != nil {
		sums = append(sums, *beside)
	}
	slices.SortStableFunc(sums, func(a, b artifact.Checksum) int {
		return cmp.Compare(sumSizes[b.Algorithm], sumSizes[a.Algorithm]) // the longer, the stronger
	})
	return sums, nil
}

// Open implements artifact.Source. A server that ignores ranges sends the file from its start; what
// is before offset is then read and dropped, and a part in the middle is an error.
func (s *source) Open(ctx context.Context, info artifact.Info, offset, length int64) (io.ReadCloser, error) {
	body, err := s.open(ctx, info, offset, length)
	if err != nil {
		return nil, fmt.Errorf("cannot open %s at byte %d: %w", s, offset, err)
	}
	return artifact.NewBody(ctx, s.name, body, info.Bytes(offset, length)), nil
}

func (s *source) open(ctx context.Context, info artifact.Info, offset, length int64) (io.ReadCloser, error) {
	header := nethttp.Header{}
	if part := byterange.Request(offset, length); part != "" {
		header.Set("Range", part)
	}
	switch {
	case strong(info.Revision):
		header.Set("If-Match", info.Revision)
	case !info.ModTime.IsZero():
		header.Set("If-Unmodified-Since", info.ModTime.UTC().Format(nethttp.TimeFormat))
	}
	resp, err := s.client.do(ctx, nethttp.MethodGet, s.url, header)
	if err != nil {
		return nil, err
	}
	body, err := s.bytesFrom(resp, info, offset, length)
	if err != nil {
		finish(resp)
		return nil, err
	}
	return body, nil
}

// bytesFrom returns the body of the answer from offset, if it is of the state that info describes.
func (s *source) bytesFrom(resp *nethttp.Response, info artifact.Info, offset, length int64) (io.ReadCloser, error) {
	var skip int64
	switch resp.StatusCode {
	case nethttp.StatusOK:
		if length >= 0 {
			return nil, errors.New("the server sends the whole file instead of a part")
		}
		skip = offset
	case nethttp.StatusPartialContent:
		part, err := contentRange(resp)
		if err == nil {
			err = part.Check(offset, length)
		}
		if err != nil {
			return nil, err
		}
	case nethttp.StatusRequestedRangeNotSatisfiable:
		// There is nothing from offset on. That is right only at the very end.
		part, err := contentRange(resp)
		if offset == info.Size || err == nil && info.Size < 0 && offset == part.Size {
			finish(resp)
			return io.NopCloser(strings.NewReader("")), nil
		}
		return nil, artifact.ErrChanged
	default:
		return nil, failure(resp, time.Now())
	}
	// Not every server honours the conditions of the request.
	st, err := stateOf(resp)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == nethttp.StatusOK && st.info.Size < info.Size {
		// A body cut short in between, or the file has shrunk within a second: a resume at its end tells.
		st.info.Size = info.Size
	}
	if !st.is(info) {
		return nil, artifact.ErrChanged
	}
	return &skipping{ReadCloser: resp.Body, left: skip}, nil
}

// skipping drops the first bytes of a body. It does so a read at a time and says 0 bytes meanwhile,
// so that whoever watches the reads for a stall sees that it is none.
type skipping struct {
	io.ReadCloser
	left int64
}

func (b *skipping) Read(p []byte) (int, error) {
	if b.left == 0 {
		return b.ReadCloser.Read(p)
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if b.left > 0 && errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return 0, err
}
