package artifact_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/dropship/dropship/artifact"
)

func TestBodyLength(t *testing.T) {
	for _, tt := range []struct {
		name string
		want int64
		err  error
	}{
		{"as advertised", 10, nil},
		{"unknown", -1, nil},
		{"shorter than advertised", 11, io.ErrUnexpectedEOF},
	} {
		got, err := io.ReadAll(artifact.NewBody(t.Context(), "s3://b/k", io.NopCloser(strings.NewReader("0123456789")), tt.want))
		if string(got) != "0123456789" || !errors.Is(err, tt.err) {
			t.Errorf("%s: got %q and error %v, want all bytes and %v", tt.name, got, err, tt.err)
		}
		if err != nil && !strings.Contains(err.Error(), "s3://b/k: the body ended after 10 of 11 bytes") {
			t.Errorf("%s: got error %q", tt.name, err)
		}
	}
}

// reader is a connection as a fake.
type reader func([]byte) (int, error)

func (r reader) Read(p []byte) (int, error) { return r(p) }

func TestBodyErrors(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	broken := reader(func([]byte) (int, error) { return 0, errCut })
	body := artifact.NewBody(ctx, "s3://b/k", io.NopCloser(broken), 10)
	if _, err := body.Read(make([]byte, 1)); !errors.Is(err, errCut) || !strings.Contains(err.Error(), "s3://b/k") {
		t.Errorf("cut: got error %v, want one that names s3://b/k and wraps %v", err, errCut)
	}
	// A connection that the end of ctx closes says only that it is closed.
	closed := reader(func([]byte) (int, error) { cancel(); return 0, errCut })
	body = artifact.NewBody(ctx, "s3://b/k", io.NopCloser(closed), 10)
	for range 2 {
		if _, err := body.Read(make([]byte, 1)); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: got error %v, want context.Canceled", err)
		}
	}
	// A connection's end is not the end of the bytes, even if it comes as an io.EOF from deeper down.
	ended := reader(func([]byte) (int, error) { return 0, &wrapped{io.EOF} })
	if _, err := artifact.NewBody(t.Context(), "s3://b/k", io.NopCloser(ended), 0).Read(make([]byte, 1)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("wrapped io.EOF: got error %v, want io.ErrUnexpectedEOF", err)
	}
}

type wrapped struct{ error }

func (w *wrapped) Unwrap() error { return w.error }
