package artifact

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// NewBody wraps the bytes that a repository sends, so that a Source's Open keeps its promises: fewer
// than want bytes (-1: unknown) end in io.ErrUnexpectedEOF, reads after the end of ctx fail with
// ctx.Err(), and every error names the source. The reader owns body.
func NewBody(ctx context.Context, source string, body io.ReadCloser, want int64) io.ReadCloser {
	return &checkedBody{ctx: ctx, source: source, body: body, want: want}
}

// Bytes returns how many bytes an Open of length bytes from offset has to stream, -1 if that is not known.
func (i Info) Bytes(offset, length int64) int64 {
	if length < 0 && i.Size >= 0 {
		return i.Size - offset
	}
	return length
}

type checkedBody struct {
	ctx    context.Context // of the one Open that made it
	source string
	body   io.ReadCloser
	want   int64
	got    int64
}

func (b *checkedBody) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, fmt.Errorf("cannot read %s: %w", b.source, err)
	}
	n, err := b.body.Read(p)
	b.got += int64(n)
	switch {
	case err == nil:
		return n, nil
	case err == io.EOF && b.got >= b.want: //nolint:errorlint // a wrapped io.EOF is a connection's end
		return n, io.EOF
	case errors.Is(err, io.EOF):
		return n, fmt.Errorf("cannot read %s: the body ended after %d of %d bytes: %w", b.source, b.got, b.want, io.ErrUnexpectedEOF)
	case b.ctx.Err() != nil:
		return n, fmt.Errorf("cannot read %s: %w", b.source, b.ctx.Err())
	default:
		return n, fmt.Errorf("cannot read %s: %w", b.source, err)
	}
}

func (b *checkedBody) Close() error { return b.body.Close() }
